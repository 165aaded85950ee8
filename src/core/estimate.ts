/**
 * What a request may cost, before it is sent (BIL-7), and what was generated, when nobody measured it (BIL-9).
 * Both are guesses from byte counts. The first decides how much money is held and is corrected by the settlement; the second is
 * charged, marked as estimated.
 */
import { chargeOf } from './cost.ts'
import type { Micro } from './entities.ts'
import type { Nano } from './money.ts'
import type { ProtocolId } from './platform.ts'
import type { ResolvedPrice } from './price-index.ts'
import { NO_USAGE, type Usage } from './usage.ts'

interface BytesPerToken {
  /** Of a request body. */
  request: number
  /** Of a streamed answer, framing included, per generated token. */
  stream: number
  /** Of an answer in one piece. */
  json: number
}

/**
 * Request: the vendors' own rules of thumb for English, 4 characters a token (OpenAI, Google) and 3.5 (Anthropic); JSON around the
 * text makes real bodies larger, so that the guess is rather too high. Answers: medians over recorded answers with 20 generated tokens
 * or more (14 Anthropic streams, 24 chat, 24 Responses, 16 Gemini; 12, 23, 15 and 10 bodies in one piece).
 */
const BYTES_PER_TOKEN: Readonly<Record<ProtocolId, BytesPerToken>> = {
  anthropic: { request: 3.5, stream: 32, json: 7 },
  'openai-chat': { request: 4, stream: 84, json: 12 },
  'openai-responses': { request: 4, stream: 180, json: 41 },
  gemini: { request: 4, stream: 16, json: 10 },
}

export interface TokenEstimateInput {
  protocol: ProtocolId
  bodyBytes: number
  /** The client's own cap, or null. */
  maxOutputTokens: number | null
  /** Generated tokens to expect of a request that names no cap. */
  assumedOutputTokens: number
  /** Answers asked for: each may be as long as the cap. */
  choices: number
  /** False for embeddings. */
  generates: boolean
  /** Null: unpriced, then the model's limits are unknown too. */
  price: ResolvedPrice | null
}

/** Never more than the model can take or give: a body full of images has far more bytes than tokens. */
export function estimateTokens(input: TokenEstimateInput): Usage {
  const limits = input.price?.row
  const inputTokens = Math.ceil(input.bodyBytes / BYTES_PER_TOKEN[input.protocol].request)
  const outputTokens = input.generates ? (input.maxOutputTokens ?? input.assumedOutputTokens) : 0
  const longest = limits?.maxOutputTokens ?? outputTokens
  return {
    ...NO_USAGE,
    input: Math.min(inputTokens, limits?.maxInputTokens ?? inputTokens),
    output: Math.min(outputTokens, longest) * input.choices,
  }
}

/** Nanodollars to hold: 0 for an unpriced model. A multiplier of 1_000_000 gives the list price, which counts for subscriptions (BIL-10). */
export function estimateHold(usage: Usage, price: ResolvedPrice | null, multiplier: Micro): Nano {
  return price === null ? 0n : chargeOf(usage, price, multiplier)
}

export interface RelayedEstimateInput
  extends Pick<TokenEstimateInput, 'protocol' | 'maxOutputTokens' | 'choices' | 'price'> {
  /** Body bytes of the answer that went by. */
  relayedBytes: number
  streamed: boolean
}

/** Generated tokens in an answer that nobody measured: from its bytes, but never more than it can have had. */
export function estimateRelayedTokens(input: RelayedEstimateInput): number {
  const { stream, json } = BYTES_PER_TOKEN[input.protocol]
  const fromBytes = Math.floor(input.relayedBytes / (input.streamed ? stream : json))
  const longest = Math.min(
    input.maxOutputTokens ?? Number.POSITIVE_INFINITY,
    input.price?.row.maxOutputTokens ?? Number.POSITIVE_INFINITY,
  )
  return Math.min(fromBytes, longest * input.choices)
}
