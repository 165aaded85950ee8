/** What a provider's usage object comes to: the common result of the four `usage.ts` readers (BIL-1). */
import type { IterationUsage, Usage } from '../core/usage.ts'

export interface UsageReport {
  usage: Usage
  /** Anthropic only: all calls behind the answer, when they are more than the top-level numbers say. */
  iterations: IterationUsage[] | null
  /** Where the vendor says it inside its usage object (Anthropic, Gemini), as the vendor spells it. */
  serviceTier: string | null
  /** Words of the usage object that may multiply the token prices (core/call-cost): Anthropic's `inference_geo` and `speed`. */
  uplifts: readonly string[]
}

/** Reads the usage object as the provider sent it, parsed. Null: it holds no number that we know. */
export type UsageReader = (raw: unknown) => UsageReport | null
