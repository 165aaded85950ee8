/**
 * What this instance knows of its own requests, so that it can tell it again to counters that lost it (see ./shared-counters): what they took,
 * and what they used until the database has it. Also which durable counters have moved while nobody could be told.
 */
import type { Amounts, Take } from '../core/limit.ts'
import type { Counters } from './counters.ts'

export interface OwnRequest {
  owner: string
  requestId: string
  takes: readonly Take[]
  /** Null: under way. */
  actual: Amounts | null
  /** Do the shared counters know it as it is? */
  isTold: boolean
}

export interface OwnRequests {
  get(requestId: string): OwnRequest | undefined
  admitted(request: OwnRequest): void
  settled(request: OwnRequest): void
  /** Settled and told: kept only if the database has to learn of it. */
  told(request: OwnRequest): void
  delete(requestId: string): void
  open(): IterableIterator<OwnRequest>
  readonly size: number
  /** The shared counters may have forgotten everything. */
  distrust(): void
  /** Durable counters that moved without the shared ones being told. */
  moved(owner: string, counters: readonly string[]): void
  /** Tells the shared counters what they don't know, until there is nothing left. Rejects as they do; may be called again. */
  tell(shared: Counters): Promise<void>
  /** Tells it all to fresh counters of this process. */
  copyTo(local: Counters): void
}

/** Commands at a time: enough to fill a round trip, not enough to hold up a request's own for long. */
const AT_A_TIME = 64

export function createOwnRequests(): OwnRequests {
  const requests = new Map<string, OwnRequest>()
  const untold = new Set<OwnRequest>()
  const movedCounters = new Map<string, Set<string>>()

  function put(request: OwnRequest): void {
    requests.set(request.requestId, request)
    if (request.isTold) untold.delete(request)
    else untold.add(request)
  }

  function remove(request: OwnRequest): void {
    requests.delete(request.requestId)
    untold.delete(request)
  }

  function told(request: OwnRequest): void {
    if (requests.get(request.requestId) !== request) return
    request.isTold = true
    const { actual } = request
    if (actual && !request.takes.some((take) => take.durable && actual[take.measure] > 0)) remove(request)
    else put(request)
  }

  async function tellOne(shared: Counters, request: OwnRequest): Promise<void> {
    const { actual } = request
    await repeat(shared, request)
    // It may have been settled meanwhile, or the connection lost: then it is still to be told.
    if (request.actual === actual && untold.has(request)) told(request)
  }

  async function tellMoved(shared: Counters): Promise<void> {
    for (const [owner, counters] of movedCounters) {
      movedCounters.delete(owner)
      try {
        await shared.forget(owner, [...counters])
      } catch (error) {
        moved(owner, [...counters])
        throw error
      }
    }
  }

  function moved(owner: string, counters: readonly string[]): void {
    movedCounters.set(owner, new Set([...(movedCounters.get(owner) ?? []), ...counters]))
  }

  return {
    get: (requestId) => requests.get(requestId),
    admitted: put,
    settled(request) {
      request.isTold = false
      put(request)
    },
    told,
    delete(requestId) {
      const request = requests.get(requestId)
      if (request) remove(request)
    },
    *open() {
      for (const request of requests.values()) if (!request.actual) yield request
    },
    get size() {
      return requests.size
    },
    distrust() {
      for (const request of requests.values()) {
        request.isTold = false
        untold.add(request)
      }
    },
    moved,
    async tell(shared) {
      while (untold.size > 0) {
        await Promise.all(
          untold
            .values()
            .take(AT_A_TIME)
            .map((request) => tellOne(shared, request)),
        )
      }
      await tellMoved(shared)
    },
    copyTo(local) {
      for (const request of requests.values()) void repeat(local, request)
    },
  }
}

function repeat(counters: Counters, { owner, requestId, takes, actual }: OwnRequest) {
  if (actual === null) return counters.restore({ owner, requestId, takes })
  return counters.settle({ owner, requestId, actual, takes, isLate: true })
}
