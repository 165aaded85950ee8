/**
 * A feed of Server-Sent Events about something that changes: every so often the newest state is asked for and sent.
 *
 * A slow reader costs nothing: events are asked for one at a time, so that none is made while the last one still waits, and what comes next is
 * the newest state again, whatever was skipped. A comment is sent when there was nothing to say for long.
 * If it fails: an event that can't be made ends the feed; the reader connects again. It ends at once when its reader leaves (`return`).
 */
export interface FeedOptions {
  everyMs: number
  /** Longest silence. */
  heartbeatMs: number
  /** The text of the next event's data, one line; null: nothing new. The first is asked for at once. */
  next(): Promise<string | null>
  /** Calls back after a while, unless it is cancelled; a timer, but in tests. */
  schedule(afterMs: number, run: () => void): () => void
  /** The feed is over, however it ended. */
  onEnd(): void
}

export const HEARTBEAT = ': heartbeat\n\n'

export function createFeed({ everyMs, heartbeatMs, next, schedule, onEnd }: FeedOptions): AsyncIterable<string> {
  let quietMs = 0
  let first = true
  let over = false
  let wake: () => void = () => {}

  const pause = () =>
    new Promise<void>((resolve) => {
      const cancel = schedule(everyMs, resolve)
      wake = () => {
        cancel()
        resolve()
      }
    })
  const end = () => {
    if (over) return
    over = true
    wake()
    onEnd()
  }

  async function nextText(): Promise<string | null> {
    while (!over) {
      if (!first) {
        await pause()
        quietMs += everyMs
      }
      first = false
      if (over) return null
      const data = await next()
      if (data === null && quietMs < heartbeatMs) continue
      quietMs = 0
      return data === null ? HEARTBEAT : `data: ${data}\n\n`
    }
    return null
  }

  const done = { value: undefined, done: true } as const
  const events: AsyncIterator<string> = {
    async next() {
      try {
        const text = await nextText()
        return text === null || over ? done : { value: text, done: false }
      } catch (error) {
        end()
        throw error
      }
    },
    async return() {
      end()
      return done
    },
  }
  return { [Symbol.asyncIterator]: () => events }
}
