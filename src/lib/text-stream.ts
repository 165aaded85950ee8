/**
 * A long text, made piece by piece, as a stream of bytes that never keeps the event loop for long: pieces are gathered for some milliseconds or up
 * to a chunk's size, then everybody else has a turn. Pull-based: a slow reader is waited for, one who leaves ends the making.
 *
 * If it fails: what the maker throws ends the stream with that error.
 */
const CHUNK_CHARACTERS = 128 * 1024
const SLICE_MS = 5

export function streamText(pieces: Iterator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { text, done } = gather(pieces)
        if (text !== '') controller.enqueue(encoder.encode(text))
        if (done) return controller.close()
        // A reader who is always ready would otherwise be served in one go: promises alone let nobody else have a turn.
        await new Promise(setImmediate)
      },
      cancel() {
        pieces.return?.()
      },
    },
    { highWaterMark: 0 },
  )
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
