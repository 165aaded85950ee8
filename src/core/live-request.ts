/** A request under way, as operators see it (USE-2, USE-4): what is known of it so far, and which of them somebody asked for. */
import type { Nano } from './money.ts'
import type { Platform, ProtocolId } from './platform.ts'
import type { BillingType, RequestStatus } from './receipt.ts'
import type { Usage } from './usage.ts'

/** `streaming` from the first byte that goes to the client; an answer in one piece is pending until it is complete. */
export const LIVE_STATUSES = ['pending', 'streaming'] as const satisfies RequestStatus[]
export type LiveStatus = (typeof LIVE_STATUSES)[number]

export interface LiveRequest {
  /** UUIDv7: ordered by creation. */
  id: string
  status: LiveStatus
  userId: string | null
  keyId: string | null
  accountId: string | null
  groupId: string | null
  subscriptionId: string | null
  platform: Platform
  protocol: ProtocolId
  endpoint: string
  model: string
  upstreamModel: string | null
  billingType: BillingType
  stream: boolean
  /** Accounts tried so far. */
  attempts: number
  /** What would be recorded and charged if the client left now: measured as far as it was told, else estimated. */
  usage: Usage
  /** At list price. */
  costNano: Nano
  userAgent: string | null
  clientIp: string | null
  createdAtMs: number
  firstTokenMs: number | null
}

export interface LiveFilter {
  ids?: readonly string[]
  userId?: string
  /** Only those made before this one: the next page. */
  beforeId?: string
}

export interface LiveCounts {
  pending: number
  streaming: number
}

export function isWanted(filter: LiveFilter, request: Pick<LiveRequest, 'id' | 'userId'>): boolean {
  const { ids, userId, beforeId } = filter
  if (ids !== undefined && !ids.includes(request.id)) return false
  if (userId !== undefined && request.userId !== userId) return false
  return beforeId === undefined || request.id < beforeId
}

/** Newest first. */
export function byNewest(a: { id: string }, b: { id: string }): number {
  return a.id < b.id ? 1 : a.id > b.id ? -1 : 0
}
