/**
 * Those who wait for something that others give back: first come, first served within a lane, lanes in turn. Never polled: whoever gives
 * something back calls `offer`, which asks those waiting, in their order, whether they can use it; the first that can has it at once, so
 * that nobody who comes later can snatch it.
 *
 * Lanes keep one greedy key from starving the others: with 100 waiting in lane A and one in B, B is served first or second.
 *
 * Invariants: at most `most` wait; each wait ends exactly once, by being served, by its time-out or by leaving.
 */
export interface Waiter<T> {
  /** Waiters of one lane are served in their order. */
  lane: string
  timeoutMs: number
  /** Takes what it waits for, if it can: called at each offer until it returns something else than null. Must not throw. */
  attempt(): T | null
}

export type WaitEnd<T> = { kind: 'served'; value: T } | { kind: 'timeout' } | { kind: 'left' }

export interface Waiting<T> {
  readonly end: Promise<WaitEnd<T>>
  /** It is not interested any more. */
  leave(): void
}

export interface WaitQueue {
  /** Null: the queue is full. */
  wait<T>(waiter: Waiter<T>): Waiting<T> | null
  /** Something was given back. True: somebody took it. */
  offer(): boolean
  readonly size: number
}

export interface WaitQueueOptions {
  most: number
  /** Calls back after a time; returns how to prevent that. */
  schedule(afterMs: number, call: () => void): () => void
}

interface Place {
  /** True: served, and out of the queue. */
  serve(): boolean
}

/** For production: `createWaitQueue({ most, schedule: scheduleTimeout })`. */
export function scheduleTimeout(afterMs: number, call: () => void): () => void {
  const timer = setTimeout(call, afterMs)
  return () => clearTimeout(timer)
}

export function createWaitQueue({ most, schedule }: WaitQueueOptions): WaitQueue {
  // A Map keeps the order of insertion: a lane that was served goes to the end.
  const lanes = new Map<string, Set<Place>>()
  let size = 0

  function remove(lane: string, place: Place): void {
    const places = lanes.get(lane)
    if (!places?.delete(place)) return
    size--
    if (places.size === 0) lanes.delete(lane)
  }

  function offer(): boolean {
    for (const [lane, places] of lanes) {
      for (const place of places) {
        if (!place.serve()) continue
        if (lanes.delete(lane) && places.size > 0) lanes.set(lane, places)
        return true
      }
    }
    return false
  }

  function wait<T>({ lane, timeoutMs, attempt }: Waiter<T>): Waiting<T> | null {
    if (size >= most) return null
    const { promise, resolve } = Promise.withResolvers<WaitEnd<T>>()
    const finish = (end: WaitEnd<T>) => {
      cancelTimeout()
      remove(lane, place)
      resolve(end)
    }
    const place: Place = {
      serve() {
        const value = attempt()
        if (value !== null) finish({ kind: 'served', value })
        return value !== null
      },
    }
    const cancelTimeout = schedule(timeoutMs, () => finish({ kind: 'timeout' }))
    const places = lanes.get(lane) ?? new Set()
    lanes.set(lane, places.add(place))
    size++
    return { end: promise, leave: () => finish({ kind: 'left' }) }
  }

  return {
    wait,
    offer,
    get size() {
      return size
    },
  }
}
