/**
 * The table of protocols: everything that differs between them is reached through it, nothing asks for a protocol by name (REL-18).
 *
 * Until the request sides are here it holds the response sides; with them: `anthropic: { ...anthropic, inspect: inspectAnthropic }` each,
 * and `Protocol` in place of `ResponseSide`.
 */
import type { ProtocolId } from '../core/platform.ts'
import { anthropic } from './anthropic/anthropic.ts'
import { fromAnthropicUsage } from './anthropic/usage.ts'
import { gemini } from './gemini/gemini.ts'
import { fromGeminiUsage } from './gemini/usage.ts'
import { openaiChat } from './openai-chat/openai-chat.ts'
import { fromOpenaiUsage } from './openai-chat/usage.ts'
import { openaiResponses } from './openai-responses/openai-responses.ts'
import { fromResponsesUsage } from './openai-responses/usage.ts'
import type { ResponseSide } from './protocol.ts'
import type { UsageReader } from './usage-report.ts'

export const PROTOCOLS: Readonly<Record<ProtocolId, ResponseSide>> = {
  'openai-responses': openaiResponses,
  'openai-chat': openaiChat,
  anthropic,
  gemini,
}

/** For usage objects that did not come with a response (the price quote). */
export const USAGE_READERS: Readonly<Record<ProtocolId, UsageReader>> = {
  'openai-responses': fromResponsesUsage,
  'openai-chat': fromOpenaiUsage,
  anthropic: fromAnthropicUsage,
  gemini: fromGeminiUsage,
}
