/**
 * Those who wait for something that others give back: first come, first served within a lane, lanes in turn. Never polled: whoever gives
 * something back calls `offer`, which asks those waiting, in their order, whether they can use it; the first that can has it at once, so
 * that nobody who comes later can snatch it.
 *
 * What is given back may have to be asked for elsewhere first. Whoever is asking keeps its place, and is passed over until it has the answer;
 * told "no", it asks again if something was offered meanwhile.
 *
 * Lanes keep one greedy key from starving the others: with 100 waiting in lane A and one in B, B is served first or second.
 *
 * Invariants: at most `most` wait; each wait ends exactly once, by being served, by its time-out or by leaving.
 */
import type { Later } from './later.ts'

export interface Waiter<T> {
  /** Waiters of one lane are served in their order. */
  lane: string
  timeoutMs: number
  /**
   * Takes what it waits for, if it can: called at once, lest something was given back on its way here, then at each offer until it gives
   * something else than null. Must not throw or reject.
   */
  attempt(): Later<T | null>
}

export type WaitEnd<T> = { kind: 'served'; value: T } | { kind: 'timeout' } | { kind: 'left' }

export interface Waiting<T> {
  readonly end: Promise<WaitEnd<T>>
  /** It is not interested any more. What it is asking for just now it may still be given. */
  leave(): void
}

export interface WaitQueue {
  /** Null: the queue is full. */
  wait<T>(waiter: Waiter<T>): Waiting<T> | null
  /** Something was given back. True: somebody took it, or asks for it. */
  offer(): boolean
  /** From now on so many may wait; those who wait already stay. */
  resize(most: number): void
  readonly size: number
}

export interface WaitQueueOptions {
  most: number
  /** Calls back after a time; returns how to prevent that. */
  schedule(afterMs: number, call: () => void): () => void
}

interface Place {
  /** True: served, and out of the queue; or asking from now on. */
  serve(): boolean
}

/** For production: `createWaitQueue({ most, schedule: scheduleTimeout })`. */
export function scheduleTimeout(afterMs: number, call: () => void): () => void {
  const timer = setTimeout(call, afterMs)
  return () => clearTimeout(timer)
}

export function createWaitQueue({ most: mostAtFirst, schedule }: WaitQueueOptions): WaitQueue {
  let most = mostAtFirst
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
    let isAsking = false
    let hasMissed = false
    let over: WaitEnd<T> | null = null
    const finish = (end: WaitEnd<T>) => {
      cancelTimeout()
      remove(lane, place)
      resolve(end)
    }
    // Who is asking waits for the answer: what it is given must not be lost.
    const finishUnlessAsking = (end: WaitEnd<T>) => {
      if (isAsking) over ??= end
      else finish(end)
    }
    const take = (value: T | null) => {
      isAsking = false
      if (value !== null) finish({ kind: 'served', value })
      else if (over) finish(over)
      return value !== null
    }
    const place: Place = {
      serve() {
        hasMissed = isAsking
        if (isAsking) return false
        // Before the attempt, which may itself lead to an offer.
        isAsking = true
        const value = attempt()
        if (!(value instanceof Promise)) return take(value)
        void value.then((answer) => {
          if (!take(answer) && hasMissed && over === null) place.serve()
        })
        return true
      },
    }
    const cancelTimeout = schedule(timeoutMs, () => finishUnlessAsking({ kind: 'timeout' }))
    const places = lanes.get(lane) ?? new Set()
    lanes.set(lane, places.add(place))
    size++
    place.serve()
    return { end: promise, leave: () => finishUnlessAsking({ kind: 'left' }) }
  }

  return {
    wait,
    offer,
    resize(next) {
      most = next
    },
    get size() {
      return size
    },
  }
}
