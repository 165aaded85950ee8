/**
 * One request as the usage statistics see it (USE-5, USE-6): whose it is, whether it failed, its tokens, and the detail that is kept of it.
 *
 * A detail's identity is its key, model, time to the nanosecond, source, account, outcome and five token counts (USE-7): two that agree in all of
 * these are one. Requests of this gateway are known to the millisecond only, and a burst of refused ones has no tokens to tell them apart; so the
 * six digits below the millisecond are made of the request's id. They are the same whether made here or read from the usage log
 * (db/statistics-details.ts does this sum in SQL).
 */
import type { Receipt } from './receipt.ts'
import { totalTokens } from './usage.ts'

export interface DetailTokens {
  input: number
  output: number
  reasoning: number
  cached: number
  total: number
}

export interface Detail {
  /** Epoch seconds. */
  seconds: number
  /** Within the second, 0 to 999,999,999. */
  nanos: number
  source: string
  authIndex: string
  failed: boolean
  tokens: DetailTokens
}

export const UNKNOWN_MODEL = 'unknown'
/** As the usage log cuts it: both must count under one name. */
const MODEL_LENGTH = 256

/** Key and model by which a receipt is counted. */
export function keyNameOf(receipt: Pick<Receipt, 'keyId' | 'endpoint'>): string {
  // Whatever is metered is a POST.
  return receipt.keyId ?? `POST ${receipt.endpoint}`
}

export function modelNameOf(model: string): string {
  // Postgres stores no NUL and no half of a surrogate pair, so the rollups know the name without them.
  const stored = model.slice(0, MODEL_LENGTH).replaceAll('\0', '').toWellFormed()
  return stored === '' ? UNKNOWN_MODEL : stored
}

export function hasFailed({ status, httpStatus }: Pick<Receipt, 'status' | 'httpStatus'>): boolean {
  return status === 'failed' || (httpStatus !== null && httpStatus >= 400)
}

/** Whoever recorded no total gets the sum of the parts; cached tokens count only when there is nothing else (USE-6). */
export function normalTotal({ input, output, reasoning, cached, total }: DetailTokens): number {
  if (total !== 0) return total
  const sum = input + output + reasoning
  return sum === 0 ? cached : sum
}

export function detailOf(receipt: Receipt): Detail {
  const { usage, createdAtMs } = receipt
  const seconds = Math.floor(createdAtMs / 1000)
  return {
    seconds,
    nanos: (createdAtMs - seconds * 1000) * 1_000_000 + subMillisecond(receipt.id),
    source: receipt.platform,
    authIndex: receipt.accountId ?? '',
    failed: hasFailed(receipt),
    tokens: {
      // What was written to a cache was read from none: input, output and cached together are the total.
      input: usage.input + usage.cacheWrite5m + usage.cacheWrite1h,
      output: usage.output,
      reasoning: usage.reasoning,
      cached: usage.cacheRead,
      total: totalTokens(usage),
    },
  }
}

/** The last 20 bits of a UUIDv7 are random. */
function subMillisecond(id: string): number {
  return Number.parseInt(id.slice(-5), 16) % 1_000_000 || 0
}

/** A number that differs when source, account, outcome or tokens do. 53 bits: what a number and a bigint column both hold. */
export function identityOf({ source, authIndex, failed, tokens }: Detail): number {
  const text = `${source}\0${authIndex}\0${failed ? 1 : 0},${tokens.input},${tokens.output},${tokens.reasoning},${tokens.cached},${tokens.total}`
  let a = 0x811c9dc5
  let b = 0x9e3779b9
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    a = Math.imul(a ^ code, 0x01000193)
    b = Math.imul(b ^ code, 0x5bd1e995)
    b ^= b >>> 13
  }
  return ((mix(b ^ a) & 0x1fffff) >>> 0) * 0x1_0000_0000 + (mix(a) >>> 0)
}

/** The end of MurmurHash3: every bit of the input moves every bit of the output. */
function mix(hash: number): number {
  let mixed = hash
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}
