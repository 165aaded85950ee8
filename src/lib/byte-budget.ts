/**
 * So many bytes may be held at once, by all together; whoever wants more waits a moment for others to give theirs back, or is turned away.
 *
 * One that is larger than the whole budget is let in when nobody else holds anything: the limit for a single one is its owner's business.
 * Invariants: `held` is what was taken and not given back; a wait ends exactly once; those who wait are served in their order.
 */
export interface ByteBudget {
  /** True: taken, perhaps after a wait. False: there was no room in time, or none at once for one that may not wait. */
  take(bytes: number, mayWait?: boolean): boolean | Promise<boolean>
  /** Takes without asking: for what is too small to be worth a refusal. */
  force(bytes: number): true
  give(bytes: number): void
  readonly held: number
  readonly waiting: number
}

export interface ByteBudgetOptions {
  mostBytes: number
  patienceMs: number
  /** Calls back after a time; returns how to prevent that. */
  schedule(afterMs: number, call: () => void): () => void
}

interface Waiter {
  bytes: number
  finish(taken: boolean): void
}

export function createByteBudget({ mostBytes, patienceMs, schedule }: ByteBudgetOptions): ByteBudget {
  const waiters = new Set<Waiter>()
  let held = 0

  function tryTake(bytes: number): boolean {
    if (held > 0 && held + bytes > mostBytes) return false
    held += bytes
    return true
  }

  function serveWaiters(): void {
    for (const waiter of waiters) {
      if (!tryTake(waiter.bytes)) return
      waiter.finish(true)
    }
  }

  return {
    take(bytes, mayWait = true) {
      if (waiters.size === 0 && tryTake(bytes)) return true
      if (!mayWait) return false
      const { promise, resolve } = Promise.withResolvers<boolean>()
      const waiter: Waiter = {
        bytes,
        finish(taken) {
          cancel()
          waiters.delete(waiter)
          resolve(taken)
        },
      }
      const cancel = schedule(patienceMs, () => waiter.finish(false))
      waiters.add(waiter)
      return promise
    },
    force(bytes) {
      held += bytes
      return true
    },
    give(bytes) {
      held -= bytes
      if (waiters.size > 0) serveWaiters()
    },
    get held() {
      return held
    },
    get waiting() {
      return waiters.size
    },
  }
}
