/**
 * Why an account is not chosen for a while (ACC-6): a block always has a cause, a source, a start and an end. Also the shape in which blocks
 * stand in the account's `extra.blocks`, so that a restart and other instances know them and operators can read them. Pure.
 */
import type { ParkCause } from './pool-entry.ts'

export interface AccountBlock {
  cause: ParkCause
  /** The header, field or rule that it comes from. */
  source: string
  /** Only models of this family; null: the whole account. */
  family: string | null
  sinceMs: number
  /** Null: until an operator changes something. */
  untilMs: number | null
  message: string | null
}

export function isLiveBlock(block: AccountBlock, nowMs: number): boolean {
  return block.untilMs === null || block.untilMs > nowMs
}

export function toStoredBlock({ cause, source, family, message, sinceMs, untilMs }: AccountBlock) {
  const since = new Date(sinceMs).toISOString()
  return { cause, source, model_family: family, message, since, until: toTime(untilMs) }
}

/** What stands in `extra.blocks`, as far as it can be read: an older version may have written it. */
export function fromStoredBlocks(stored: unknown): AccountBlock[] {
  return Array.isArray(stored) ? stored.flatMap((block) => fromStoredBlock(block) ?? []) : []
}

function fromStoredBlock(stored: unknown): AccountBlock | null {
  if (typeof stored !== 'object' || stored === null) return null
  const { cause, source, model_family: family, message, since, until } = stored as Record<string, unknown>
  const untilMs = fromTime(until)
  if (typeof cause !== 'string' || typeof source !== 'string' || Number.isNaN(untilMs)) return null
  return {
    cause: cause as ParkCause,
    source,
    family: typeof family === 'string' ? family : null,
    sinceMs: fromTime(since) || 0,
    untilMs,
    message: typeof message === 'string' ? message : null,
  }
}

const toTime = (atMs: number | null) => (atMs === null ? null : new Date(atMs).toISOString())
const fromTime = (text: unknown) => (text === null || text === undefined ? null : Date.parse(String(text)))
