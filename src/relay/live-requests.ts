/**
 * Reads the requests under way (USE-2, USE-4). They are the very exchanges that the relay works on: nothing is kept for this, so that a
 * request costs nothing more for being looked at; tokens so far are read off its meter when somebody asks.
 *
 * Also ends those that should have ended long ago (USE-3): every step of the relay has its own limit, so this only finds what hangs where
 * no limit looks, like a client that never finishes sending its body.
 */
import { byNewest, isWanted, type LiveCounts, type LiveFilter, type LiveRequest } from '../core/live-request.ts'
import { type Exchange, platformOf } from './exchange.ts'
import type { RelaySettings } from './settings.ts'
import { type SettleDeps, settle, soFar } from './settle.ts'

export interface LiveRequests {
  /** Newest first. `startedBeforeMs`: only those that run longer. Resolves over several turns of the event loop when there are many. */
  list(filter: LiveFilter & { startedBeforeMs?: number }, limit: number): Promise<LiveRequest[]>
  counts(filter: LiveFilter): LiveCounts
  /** Settles those far beyond their time limit as failed. How many there were. */
  endOverdue(): number
}

export interface LiveRequestsDeps extends SettleDeps {
  settings: RelaySettings
  live: ReadonlySet<Exchange>
}

/** Beyond limit and drain: what ends by itself has ended by then. */
const GRACE_MS = 60_000
/** Reading a meter takes 20 to 60 µs (test/bench/live.ts): after so many the streams have their turn. */
const AT_ONCE = 50

export function createLiveRequests(deps: LiveRequestsDeps): LiveRequests {
  /** What is settled may stay among the live ones for a moment, until it is on record. */
  const unsettled = () => [...deps.live].filter(({ settled }) => !settled)
  const wanted = (filter: LiveFilter) =>
    unsettled().filter((exchange) => isWanted(filter, { id: exchange.id, userId: exchange.user?.id ?? null }))

  return {
    async list({ startedBeforeMs = Number.POSITIVE_INFINITY, ...filter }, limit) {
      const old = wanted(filter).filter(({ createdAtMs }) => createdAtMs < startedBeforeMs)
      const newest = old.sort(byNewest).slice(0, limit)
      const found: LiveRequest[] = []
      for (let from = 0; from < newest.length; from += AT_ONCE) {
        if (from > 0) await new Promise((resolve) => setImmediate(resolve))
        // Some may have ended meanwhile.
        const going = newest.slice(from, from + AT_ONCE).filter(({ settled }) => !settled)
        found.push(...going.map((exchange) => toLiveRequest(deps, exchange)))
      }
      return found
    },

    counts(filter) {
      const all = wanted(filter)
      const streaming = all.filter((exchange) => exchange.progress !== null).length
      return { pending: all.length - streaming, streaming }
    },

    endOverdue() {
      const overdue = unsettled().filter((exchange) => isOverdue(deps, exchange))
      for (const exchange of overdue) end(deps, exchange)
      return overdue.length
    },
  }
}

function toLiveRequest(deps: LiveRequestsDeps, exchange: Exchange): LiveRequest {
  const { call, inspected, payer, account } = exchange
  const { usage, costs } = soFar(deps, exchange)
  return {
    id: exchange.id,
    status: statusOf(exchange),
    userId: exchange.user?.id ?? null,
    keyId: exchange.policy.key.id,
    accountId: account?.id ?? null,
    groupId: exchange.group?.id ?? null,
    subscriptionId: payer?.kind === 'subscription' ? payer.id : null,
    platform: platformOf(exchange),
    protocol: call.protocol.id,
    endpoint: call.target.pathname,
    model: inspected?.model ?? '',
    upstreamModel: exchange.upstreamModel,
    billingType: payer?.kind ?? 'none',
    stream: inspected?.stream ?? false,
    attempts: exchange.attempts.length,
    usage,
    costNano: costs.totalNano,
    userAgent: exchange.userAgent || null,
    clientIp: exchange.address,
    createdAtMs: exchange.createdAtMs,
    firstTokenMs: exchange.firstTokenMs,
  }
}

function statusOf({ progress }: Exchange): LiveRequest['status'] {
  return progress === null ? 'pending' : 'streaming'
}

function isOverdue({ nowMs, settings }: LiveRequestsDeps, { account, createdAtMs }: Exchange): boolean {
  const limitMs = account?.requestTimeoutMs ?? settings.requestTimeoutMs
  return limitMs > 0 && nowMs() - createdAtMs > limitMs + settings.drainTimeoutMs + GRACE_MS
}

/** What was measured until now is charged as of any broken request (BIL-9). Whatever still runs finds it settled and gives up. */
function end(deps: LiveRequestsDeps, exchange: Exchange): void {
  const { reading = null, relayedBytes = 0 } = exchange.progress?.soFar() ?? {}
  settle(deps, exchange, {
    ending: 'broken',
    httpStatus: 504,
    errorCode: 'request_overdue',
    errorMessage: `The request was still ${statusOf(exchange)} long after its time limit.`,
    reading,
    relayedBytes,
  })
  exchange.clientGone = true
  exchange.clientWatcher?.clientLeft()
}
