/**
 * A durable counter made of what the database knew and what it could not know yet (state/counters tells the whole story). Pure.
 * Twin of `merge` in state/scripts/seed.lua.
 */
import { type Bucket, isLive, MOST_COUNT, type Span, type Take } from './limit.ts'

export interface Seed {
  counter: string
  span: Span
  /** Start of the window or period that `used` is for; 0: none. */
  startMs: number
  used: number
  /** What may be spent; only for counters with a limit of their own. */
  most: number | null
}

export interface SeedMerge {
  seed: Seed
  /** What is there: reservations stay. */
  bucket: Bucket | undefined
  /** What settled requests used that the read totals do not contain. */
  unrecorded: readonly Take[]
  nowMs: number
}

export function mergeSeed({ seed, bucket, unrecorded, nowMs }: SeedMerge): Bucket {
  const startMs = startOf(seed, bucket?.startMs ?? 0, unrecorded, nowMs)
  const belongs = (takenMs: number) => belongsTo(seed.span, { takenMs, startMs, nowMs })
  let used = belongs(seed.startMs) ? seed.used : 0
  for (const take of unrecorded) if (belongs(take.startMs)) used += take.amount
  return {
    startMs,
    used: Math.min(MOST_COUNT, used),
    reserved: bucket?.startMs === startMs ? bucket.reserved : 0,
    standing: 'known',
    most: seed.most,
  }
}

/**
 * A window's start is read off the first request in it, by the counters at its admission and by the database from its receipt: milliseconds
 * apart. The counters' own start wins, as reservations refer to it; any start that is not over means the same window.
 */
function startOf(seed: Seed, storedMs: number, unrecorded: readonly Take[], nowMs: number): number {
  const { span } = seed
  if (span.kind === 'calendar') return Math.max(storedMs, seed.startMs)
  if (span.kind !== 'window') return 0
  if (isLive(span.lengthMs, storedMs, nowMs)) return storedMs
  if (isLive(span.lengthMs, seed.startMs, nowMs)) return seed.startMs
  const live = unrecorded.map((take) => take.startMs).filter((takenMs) => isLive(span.lengthMs, takenMs, nowMs))
  return live.length === 0 ? 0 : Math.min(...live)
}

function belongsTo(span: Span, at: { takenMs: number; startMs: number; nowMs: number }): boolean {
  if (span.kind === 'window') return isLive(span.lengthMs, at.takenMs, at.nowMs)
  return span.kind === 'calendar' ? at.takenMs === at.startMs : true
}
