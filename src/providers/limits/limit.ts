/**
 * What a provider says about its limits, read off headers and error bodies (ACC-6, ACC-11). Pure functions, one file per vendor;
 * header names come in any case, so they are asked for through a function that ignores it.
 */
import type { ToldLimit } from '../../core/failure.ts'
import type { AccountSnapshot } from '../../core/snapshot.ts'

export interface LimitAnswer {
  status: number
  header(name: string): string | null
  /** The error body as parsed JSON; null when there was none or it was no JSON. */
  body: unknown
  /** The upstream's name for the model that was asked for. */
  model: string
  nowMs: number
}

export type ReadLimit = (answer: LimitAnswer) => ToldLimit | null
export type ReadSnapshot = (answer: Pick<LimitAnswer, 'header' | 'nowMs'>) => AccountSnapshot | null

/** A field somewhere in parsed JSON; null where the path does not lead. */
export function fieldAt(value: unknown, ...path: (string | number)[]): unknown {
  let current = value
  for (const step of path) {
    if (typeof current !== 'object' || current === null) return null
    current = (current as Record<string | number, unknown>)[step]
  }
  return current ?? null
}

/** A number from a header; null when it is absent, empty or none. */
export function numberIn(header: (name: string) => string | null, name: string): number | null {
  const text = header(name)
  if (text === null || text.trim() === '') return null
  const value = Number(text)
  return Number.isFinite(value) ? value : null
}
