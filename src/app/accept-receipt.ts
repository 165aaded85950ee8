/**
 * Where a receipt goes when its request has ended: journal first, then whoever looks on (statistics, recordings, metrics), each exactly once.
 *
 * Invariants: the request leaves the live ones once its record is where it must be; a fault in one place keeps it from no other place.
 * If it fails: never throws; a fault is logged.
 */
import type { Receipt } from '../core/receipt.ts'
import type { Log } from '../lib/log.ts'
import type { Exchange } from '../relay/exchange.ts'
import type { SettleDeps } from '../relay/settle.ts'

export interface AcceptDeps {
  /** Into the journal: a promise when the client has to wait for the disk. */
  add(receipt: Receipt): Promise<void> | null
  live: Set<Exchange>
  /** What else is told. */
  listeners: readonly ((receipt: Receipt, exchange: Exchange) => void)[]
  log: Log
}

export function createAccept({ add, live, listeners, log }: AcceptDeps): SettleDeps['accept'] {
  const tell = (receipt: Receipt, error: unknown) =>
    log.error('a request that has ended could not be noted everywhere', { requestId: receipt.id, error })

  function record(receipt: Receipt): Promise<void> | null {
    try {
      return add(receipt)
    } catch (error) {
      tell(receipt, error)
      return null
    }
  }

  return (receipt, exchange) => {
    const recorded = record(receipt)
    if (recorded) void recorded.then(() => live.delete(exchange))
    else live.delete(exchange)
    for (const listener of listeners) {
      try {
        listener(receipt, exchange)
      } catch (error) {
        tell(receipt, error)
      }
    }
    return recorded
  }
}
