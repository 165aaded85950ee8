/**
 * Keeps idle connections by origin and hands out the one used last (the most likely to be alive; the others age and go).
 * Pure bookkeeping: time is passed in, opening and closing is the owner's. Counts requests under way, for a limit per origin if one is set.
 */
export interface Pool<T> {
  /** The idle connection used last, no longer kept here; null: none that is young enough. */
  take(key: string, nowMs: number): T | null
  /** Keeps it until then; when there are too many, the oldest is closed. */
  put(key: string, item: T, untilMs: number): void
  /** It closed by itself. */
  remove(key: string, item: T): void
  /** Takes a place among the requests to this origin, now or when one comes free: then it is started. */
  enter(key: string, entrant: Entrant): void
  leave(key: string): void
  /** Forgets what has been idle for too long, or all when `nowMs` is infinite. */
  sweep(nowMs: number): void
  readonly idle: number
  readonly active: number
}

export interface Entrant {
  start(): void
}

interface Origin<T> {
  /** Oldest first. */
  idle: { item: T; untilMs: number }[]
  active: number
  waiting: Entrant[]
}

export interface PoolOptions<T> {
  mostIdlePerOrigin: number
  /** Requests under way to one origin; Infinity: no limit. */
  mostActivePerOrigin: number
  close(item: T): void
}

export function createPool<T>(options: PoolOptions<T>): Pool<T> {
  const origins = new Map<string, Origin<T>>()

  function originOf(key: string): Origin<T> {
    let origin = origins.get(key)
    if (!origin) {
      origin = { idle: [], active: 0, waiting: [] }
      origins.set(key, origin)
    }
    return origin
  }

  function forget(key: string, origin: Origin<T>): void {
    if (origin.idle.length === 0 && origin.active === 0 && origin.waiting.length === 0) origins.delete(key)
  }

  function sweepOrigin(origin: Origin<T>, nowMs: number): void {
    origin.idle = origin.idle.filter((entry) => {
      if (entry.untilMs > nowMs) return true
      options.close(entry.item)
      return false
    })
  }

  return {
    take(key, nowMs) {
      const idle = origins.get(key)?.idle
      for (let entry = idle?.pop(); entry; entry = idle?.pop()) {
        if (entry.untilMs > nowMs) return entry.item
        options.close(entry.item)
      }
      return null
    },
    put(key, item, untilMs) {
      const { idle } = originOf(key)
      idle.push({ item, untilMs })
      const oldest = idle.length > options.mostIdlePerOrigin ? idle.shift() : undefined
      if (oldest) options.close(oldest.item)
    },
    remove(key, item) {
      const origin = origins.get(key)
      if (!origin) return
      origin.idle = origin.idle.filter((entry) => entry.item !== item)
      forget(key, origin)
    },
    enter(key, entrant) {
      const origin = originOf(key)
      if (origin.active >= options.mostActivePerOrigin) {
        origin.waiting.push(entrant)
        return
      }
      origin.active++
      entrant.start()
    },
    leave(key) {
      const origin = originOf(key)
      const next = origin.waiting.shift()
      if (next) next.start()
      else {
        origin.active--
        forget(key, origin)
      }
    },
    sweep(nowMs) {
      for (const [key, origin] of origins) {
        sweepOrigin(origin, nowMs)
        forget(key, origin)
      }
    },
    get idle() {
      let idle = 0
      for (const origin of origins.values()) idle += origin.idle.length
      return idle
    },
    get active() {
      let active = 0
      for (const origin of origins.values()) active += origin.active
      return active
    },
  }
}
