/**
 * Tokens of one request, normalised so that each is counted once (BIL-1).
 *
 * The five leaves `input`, `output`, `cacheRead`, `cacheWrite5m`, `cacheWrite1h` are disjoint: their sum is the total.
 * The `…Audio`, `…Image` and `reasoning` fields are parts *of* a leaf, kept because vendors price them differently.
 */
export interface Usage {
  /** Uncached input tokens. */
  input: number
  /** All generated tokens, reasoning included. */
  output: number
  cacheRead: number
  cacheWrite5m: number
  cacheWrite1h: number
  /** Part of `output`. */
  reasoning: number
  /** Parts of `input`. */
  inputAudio: number
  inputImage: number
  /** Part of `cacheRead`. */
  cacheReadAudio: number
  /** Parts of `output`. */
  outputAudio: number
  outputImage: number
  /** Server-side searches that vendors bill per request; a count, not tokens. */
  webSearches: number
}

/**
 * One of the calls that made up a response, when they are more than its top-level numbers say (BIL-1, Anthropic `usage.iterations`).
 * The list is complete: its sum is the bill, each call at its own model's price, *instead of* the top-level tokens.
 */
export interface IterationUsage {
  /** Null: the model of the response itself. */
  model: string | null
  usage: Usage
}

export const NO_USAGE: Readonly<Usage> = Object.freeze({
  input: 0,
  output: 0,
  cacheRead: 0,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  reasoning: 0,
  inputAudio: 0,
  inputImage: 0,
  cacheReadAudio: 0,
  outputAudio: 0,
  outputImage: 0,
  webSearches: 0,
})

export function totalTokens(usage: Usage): number {
  return usage.input + usage.output + usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h
}

/** Input of every kind: what decides a price's context tier (BIL-4). */
export function contextTokens(usage: Usage): number {
  return usage.input + usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h
}

export function addUsage(a: Usage, b: Usage): Usage {
  const sum = { ...a }
  for (const field of Object.keys(NO_USAGE) as (keyof Usage)[]) sum[field] += b[field]
  return sum
}
