/**
 * How late the event loop is: a timer that should fire every 50 ms is asked how much later it did. What delays it delays every request.
 *
 * Keeps the last minute, so that a stall is still seen by whoever asks every 15 or 60 seconds, and costs 20 wake-ups a second (0.03 % of
 * a core). A stall shorter than the interval may fall between two ticks: it is the lasting and the long ones that hurt.
 */
export interface LoopDelay {
  /** Of the last minute, in ms; zeros before the first tick. */
  read(): { p50Ms: number; p99Ms: number; maxMs: number }
  /** The timer's tick; tests call it with their own clock. */
  tick(): void
  stop(): void
}

export interface LoopDelayOptions {
  /** Monotonic. */
  nowMs: () => number
  /** 0: no timer, the owner calls `tick`. */
  everyMs?: number
}

const EVERY_MS = 50
const WINDOW_MS = 60_000

export function createLoopDelay({ nowMs, everyMs = EVERY_MS }: LoopDelayOptions): LoopDelay {
  const expectedMs = everyMs === 0 ? EVERY_MS : everyMs
  const delays = new Float64Array(WINDOW_MS / expectedMs)
  let ticks = 0
  let lastMs = nowMs()
  const timer = everyMs === 0 ? null : setInterval(tick, everyMs)
  timer?.unref()

  function tick(): void {
    const now = nowMs()
    delays[ticks++ % delays.length] = Math.max(0, now - lastMs - expectedMs)
    lastMs = now
  }

  return {
    read() {
      const sorted = delays.slice(0, Math.min(ticks, delays.length)).sort()
      const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
      return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
    },
    tick,
    stop() {
      if (timer) clearInterval(timer)
    },
  }
}
