/**
 * Gathers items and writes them together, like ./batch, but what waits is in a journal, too: it outlives the process, and beyond what is
 * kept at hand it waits on the disk alone, however long the writer fails.
 *
 * Three places, emptied in this order: `recent` (in memory and in the journal), the journal behind them, `loose` (in memory alone, because
 * the journal had no room; they go to the journal as soon as it has). Order is that of `add`, whatever happens.
 *
 * If it fails: a write that fails is tried again after a growing pause; it may come again although it had succeeded, so the writer must be
 * idempotent. An item that finds room neither in the journal nor in memory is dropped and counted in `dropped`.
 */
import type { Journal } from './journal.ts'

export interface Spooled<T> {
  text: string
  item: T
}

export interface SpoolOptions<T> {
  journal: Journal
  /** An item from its text, when only that is left. */
  parse(text: string): T
  /** Epoch ms of about when it was added, when only its text is left. */
  timeOf(item: T): number
  write(items: readonly Spooled<T>[]): Promise<void>
  mostItems: number
  everyMs: number
  /** Longest pause after failures. */
  longestPauseMs: number
  /** The journal takes no more than so much; it counts as full at seven eighths, so that what is under way finds room. */
  mostBytes: number
  /** So many are kept at hand. */
  recentItems: number
  /** So many wait in memory alone when the journal has no room. */
  looseItems: number
  nowMs(): number
  onFailure(error: unknown, backlog: number): void
  onDamage(bytes: number): void
}

export interface Spool<T> {
  /** False: there was no room for it anywhere. */
  add(text: string, item: T): boolean
  /** Writes all that waits; resolves when it is written or has failed once more. */
  flush(): Promise<void>
  /** No timer afterwards. Writes what waits until that fails or takes too long: the journal keeps the rest. */
  close(withinMs: number): Promise<void>
  /** What would be lost if the process ended now. */
  looseTexts(): string[]
  /** Items that wait. */
  readonly backlog: number
  /** Of them, those that would not outlive the process. */
  readonly loose: number
  /** Since when the oldest of them waits; null: none waits. */
  readonly waitingSinceMs: number | null
  /** Failed writes in a row; 0 = healthy. */
  readonly failures: number
  readonly dropped: number
  /** The journal has no room for more work: its bound is near, or the disk takes nothing. */
  readonly isFull: boolean
}

interface Waiting<T> extends Spooled<T> {
  sinceMs: number
  /** Position behind it in the journal. */
  end: number
}

export function createSpool<T>(options: SpoolOptions<T>): Spool<T> {
  const { journal } = options
  let recent: Waiting<T>[] = []
  let loose: Waiting<T>[] = []
  /** What lies before it is written. */
  let position = journal.end
  /** Items that are in the journal alone. Until reading has come to its end nothing more is kept at hand. */
  let behind = 0
  let behindSinceMs: number | null = null
  let dropped = 0
  let writing: Promise<void> | null = null
  let timer: ReturnType<typeof setTimeout> | null = null
  let failures = 0
  let closed = false

  const isFull = () => journal.bytes >= options.mostBytes * 0.875 || journal.fault !== null
  const backlog = () => recent.length + behind + loose.length

  function toJournal(entry: Waiting<T>): boolean {
    if (journal.bytes >= options.mostBytes || !journal.append(entry.text)) return false
    entry.end = journal.end
    if (behind === 0 && recent.length < options.recentItems) recent.push(entry)
    else if (behind++ === 0) behindSinceMs = entry.sinceMs
    return true
  }

  /** Whatever waits in memory alone goes first. */
  function tightenLoose(): boolean {
    let tight = 0
    while (tight < loose.length && toJournal(loose[tight] as Waiting<T>)) tight++
    if (tight > 0) loose = loose.slice(tight)
    return loose.length === 0
  }

  function add(text: string, item: T): boolean {
    const entry = { text, item, sinceMs: options.nowMs(), end: 0 }
    if ((loose.length > 0 && !tightenLoose()) || !toJournal(entry)) {
      if (loose.length >= options.looseItems) {
        dropped++
        return false
      }
      loose.push(entry)
    }
    if (timer && backlog() === options.mostItems && failures === 0) stopTimer()
    schedule()
    return true
  }

  function stopTimer(): void {
    if (timer) clearTimeout(timer)
    timer = null
  }

  function schedule(): void {
    if (closed || timer || writing || backlog() === 0) return
    const pauseMs = failures === 0 ? options.everyMs : Math.min(options.longestPauseMs, options.everyMs * 2 ** failures)
    const isDue = failures === 0 && backlog() >= options.mostItems
    timer = setTimeout(
      () => {
        timer = null
        void writeOnce()
      },
      isDue ? 0 : pauseMs,
    )
  }

  async function take(): Promise<{ items: readonly Spooled<T>[]; done(): void }> {
    if (recent.length > 0) {
      const items = recent.slice(0, options.mostItems)
      return {
        items,
        done() {
          recent = recent.slice(items.length)
          position = items.at(-1)?.end ?? position
        },
      }
    }
    if (position < journal.end) return takeFromDisk()
    const items = loose.slice(0, options.mostItems)
    return {
      items,
      done() {
        // Meanwhile some may have gone to the journal: they are written all the same, and come again.
        const written = new Set<Spooled<T>>(items)
        loose = loose.filter((entry) => !written.has(entry))
      },
    }
  }

  async function takeFromDisk(): Promise<{ items: readonly Spooled<T>[]; done(): void }> {
    const { texts, next, damagedBytes } = await journal.read(position, options.mostItems)
    if (damagedBytes > 0) options.onDamage(damagedBytes)
    const items = texts.map((text) => ({ text, item: options.parse(text) }))
    return {
      items,
      done() {
        position = next
        // Whatever was damaged is not counted down one by one.
        behind = position === journal.end ? 0 : Math.max(1, behind - items.length)
        const last = items.at(-1)
        if (last) behindSinceMs = options.timeOf(last.item)
      },
    }
  }

  async function writeOnce(): Promise<void> {
    if (writing) return writing
    if (backlog() === 0) return
    writing = (async () => {
      try {
        const { items, done } = await take()
        if (items.length > 0) await options.write(items)
        done()
        failures = 0
        journal.release(position)
        tightenLoose()
      } catch (error) {
        failures++
        options.onFailure(error, backlog())
      }
    })()
    await writing
    writing = null
    schedule()
  }

  async function flush(): Promise<void> {
    stopTimer()
    if (writing) await writing
    while (backlog() > 0) {
      await writeOnce()
      if (failures > 0) return
    }
  }

  return {
    add,
    flush,
    async close(withinMs) {
      closed = true
      const { promise, resolve } = Promise.withResolvers<void>()
      const limit = setTimeout(resolve, withinMs)
      await Promise.race([flush(), promise])
      clearTimeout(limit)
      tightenLoose()
      stopTimer()
    },
    looseTexts: () => loose.map(({ text }) => text),
    get backlog() {
      return backlog()
    },
    get loose() {
      return loose.length
    },
    get waitingSinceMs() {
      return recent[0]?.sinceMs ?? (behind > 0 ? behindSinceMs : null) ?? loose[0]?.sinceMs ?? null
    },
    get failures() {
      return failures
    },
    get dropped() {
      return dropped
    },
    get isFull() {
      return isFull()
    },
  }
}
