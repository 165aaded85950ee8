/**
 * Readers of values that came out of `JSON.parse` of somebody else's text: each gives what it promises or "not there".
 *
 * Why: vendors send `null`, `""`, strings for numbers and numbers for strings in the same places. Nothing here throws.
 */
export type JsonObject = Readonly<Record<string, unknown>>

export function asObject(value: unknown): JsonObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null
}

export function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** A text with something in it; `""` counts as not said. */
export function asText(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

/** A count as a whole number ≥ 0, or null when no usable number was sent. */
export function asCount(value: unknown): number | null {
  if (typeof value !== 'number' || !(value >= 0) || value > Number.MAX_SAFE_INTEGER) return null
  return Math.round(value)
}

export function countOf(value: unknown): number {
  return asCount(value) ?? 0
}

/** `JSON.parse` that answers undefined instead of throwing. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
