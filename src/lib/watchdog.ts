/**
 * Time limits for many things at once: one coarse timer looks at all of them, so that a chunk of a stream costs one assignment
 * instead of a timer re-armed (5,000 streams × 20 events/s would re-arm 100,000 timers a second).
 *
 * A limit fires between its time and one sweep (default 250 ms) later. Timing out is the owner's business.
 */
export interface Watched {
  /** Resets the idle limit: something happened. */
  touch(): void
  /** Ms without a touch until `fire('idle')`; 0 = no limit. Starts counting now. */
  limitIdle(idleMs: number): void
  /** Ms from now until `fire('deadline')`; 0 = no limit. */
  limitTotal(totalMs: number): void
  /** Ms without a touch until `tick` is called, again and again; 0 = never. */
  every(quietMs: number, tick: () => void): void
  stop(): void
}

/** Whoever has the limits. `fire` must not throw. */
export interface Timed {
  fire(limit: 'idle' | 'deadline'): void
}

export interface Watchdog {
  watch(timed: Timed): Watched
  /** Called by the timer; tests call it themselves with a manual clock. */
  sweep(): void
  readonly size: number
  stop(): void
}

/** One object for each: there is one for each request under way. */
class Entry implements Watched {
  /** Something happened since the last sweep; `touchedAtMs` is when a sweep last saw that. */
  touched = false
  touchedAtMs: number
  idleMs = 0
  deadlineMs = 0
  quietMs = 0
  quietTickedMs = 0
  tick: (() => void) | null = null

  constructor(
    private readonly entries: Set<Entry>,
    private readonly nowMs: () => number,
    readonly timed: Timed,
  ) {
    this.touchedAtMs = nowMs()
  }

  touch(): void {
    this.touched = true
  }

  limitIdle(idleMs: number): void {
    this.idleMs = idleMs
    this.touchedAtMs = this.nowMs()
  }

  limitTotal(totalMs: number): void {
    this.deadlineMs = totalMs === 0 ? 0 : this.nowMs() + totalMs
  }

  every(quietMs: number, tick: () => void): void {
    this.quietMs = quietMs
    this.tick = quietMs > 0 ? tick : null
  }

  stop(): void {
    this.entries.delete(this)
  }
}

export function createWatchdog(options: { nowMs: () => number; sweepEveryMs?: number }): Watchdog {
  const entries = new Set<Entry>()
  const timer = options.sweepEveryMs === 0 ? null : setInterval(sweep, options.sweepEveryMs ?? 250)
  timer?.unref()

  function sweep(): void {
    const nowMs = options.nowMs()
    for (const entry of entries) {
      if (entry.touched) {
        entry.touched = false
        entry.touchedAtMs = nowMs
      }
      if (entry.deadlineMs > 0 && nowMs >= entry.deadlineMs) {
        entries.delete(entry)
        entry.timed.fire('deadline')
      } else if (entry.idleMs > 0 && nowMs - entry.touchedAtMs >= entry.idleMs) {
        entries.delete(entry)
        entry.timed.fire('idle')
      } else if (entry.tick && nowMs - Math.max(entry.touchedAtMs, entry.quietTickedMs) >= entry.quietMs) {
        entry.quietTickedMs = nowMs
        entry.tick()
      }
    }
  }

  return {
    watch(timed) {
      const entry = new Entry(entries, options.nowMs, timed)
      entries.add(entry)
      return entry
    },
    sweep,
    get size() {
      return entries.size
    },
    stop() {
      if (timer) clearInterval(timer)
      entries.clear()
    },
  }
}
