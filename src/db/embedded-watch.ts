/**
 * Looks after a server that runs in another process: brings it back when it died, keeps its log small.
 *
 * If it fails: says so and tries again, after a pause that doubles up to half a minute (a full disk lasts).
 */
export interface Watch {
  /** Resolves to false when there was nothing to do. */
  revive: () => Promise<boolean>
  trimLog: () => void
  onFailure: (cause: Error) => void
  everyMs: number
}

const TICKS_BETWEEN_TRIMS = 60
const MOST_DOUBLINGS = 5

/** Returns the function that ends it. It keeps no process alive. */
export function startWatch({ revive, trimLog, onFailure, everyMs }: Watch): () => void {
  let failures = 0
  let ticks = 0
  let looking = false

  async function look(): Promise<void> {
    ticks++
    if (ticks % TICKS_BETWEEN_TRIMS === 0) trimLog()
    if (ticks % 2 ** Math.min(failures, MOST_DOUBLINGS) !== 0) return
    await revive()
    failures = 0
  }
  async function tick(): Promise<void> {
    if (looking) return
    looking = true
    try {
      await look()
    } catch (cause) {
      failures++
      onFailure(cause as Error)
    }
    looking = false
  }

  const timer = setInterval(tick, everyMs)
  timer.unref()
  return () => clearInterval(timer)
}
