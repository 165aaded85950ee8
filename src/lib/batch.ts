/**
 * Gathers items and writes them together: when there are enough, or after a while, whichever comes first. One write at a time, in order.
 *
 * If it fails: the items go back to the front and the write is tried again after a growing pause (doubling to 30 s); nothing is dropped and
 * `backlog` says how many wait. The writer must therefore be idempotent: a write that failed halfway comes again, perhaps with more.
 */
export interface Batch<T> {
  add(item: T): void
  /** Writes all that waits; resolves when it is written or has failed once more. */
  flush(): Promise<void>
  /** No timer afterwards; flushes, trying up to `attempts` times. Resolves with what could not be written. */
  close(attempts?: number): Promise<T[]>
  readonly backlog: number
  /** What has waited longest. */
  readonly oldest: T | undefined
  /** Failed writes in a row; 0 = healthy. */
  readonly failures: number
}

export interface BatchOptions<T> {
  mostItems: number
  everyMs: number
  write(items: T[]): Promise<void>
  onFailure(error: unknown, backlog: number): void
}

const LONGEST_PAUSE_MS = 30_000

export function createBatch<T>(options: BatchOptions<T>): Batch<T> {
  let waiting: T[] = []
  let writing: Promise<void> | null = null
  let timer: ReturnType<typeof setTimeout> | null = null
  let failures = 0
  let closed = false

  function schedule(): void {
    if (closed || timer || writing || waiting.length === 0) return
    const pauseMs = failures === 0 ? options.everyMs : Math.min(LONGEST_PAUSE_MS, options.everyMs * 2 ** failures)
    const full = failures === 0 && waiting.length >= options.mostItems
    timer = setTimeout(
      () => {
        timer = null
        void writeOnce()
      },
      full ? 0 : pauseMs,
    )
  }

  async function writeOnce(): Promise<void> {
    if (writing) return writing
    if (waiting.length === 0) return
    const items = waiting.slice(0, options.mostItems)
    writing = (async () => {
      try {
        await options.write(items)
        waiting = waiting.slice(items.length)
        failures = 0
      } catch (error) {
        failures++
        options.onFailure(error, waiting.length)
      }
    })()
    await writing
    writing = null
    schedule()
  }

  async function flush(): Promise<void> {
    if (timer) clearTimeout(timer)
    timer = null
    if (writing) await writing
    while (waiting.length > 0) {
      await writeOnce()
      if (failures > 0) return
    }
  }

  return {
    add(item) {
      waiting.push(item)
      if (timer && waiting.length === options.mostItems && failures === 0) {
        clearTimeout(timer)
        timer = null
      }
      schedule()
    },
    flush,
    async close(attempts = 3) {
      closed = true
      for (let attempt = 0; attempt < attempts && waiting.length > 0; attempt++) await flush()
      if (timer) clearTimeout(timer)
      return waiting
    },
    get backlog() {
      return waiting.length
    },
    get oldest() {
      return waiting[0]
    },
    get failures() {
      return failures
    },
  }
}
