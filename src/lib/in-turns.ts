/**
 * A long text, made piece by piece, that never keeps the event loop for long: pieces are gathered for some milliseconds or up to a chunk's size,
 * then everybody else has a turn. Nothing is made before it is asked for; whoever stops asking (`return`) ends the making.
 *
 * If it fails: what the maker throws is thrown.
 */
const CHUNK_CHARACTERS = 128 * 1024
const SLICE_MS = 5

export async function* inTurns(pieces: Iterator<string>): AsyncGenerator<string, void> {
  try {
    for (;;) {
      const { text, done } = gather(pieces)
      if (text !== '') yield text
      if (done) return
      // A reader who is always ready would otherwise be served in one go: promises alone let nobody else have a turn.
      await new Promise(setImmediate)
    }
  } finally {
    pieces.return?.()
  }
}

function gather(pieces: Iterator<string>): { text: string; done: boolean } {
  const until = performance.now() + SLICE_MS
  let text = ''
  do {
    const { value, done } = pieces.next()
    if (done) return { text, done }
    text += value
  } while (text.length < CHUNK_CHARACTERS && performance.now() < until)
  return { text, done: false }
}
