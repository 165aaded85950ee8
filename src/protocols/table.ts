/** The table of protocols: everything that differs between them is reached through it, nothing asks for a protocol by name (REL-18). */
import type { ProtocolId } from '../core/platform.ts'
import { anthropic } from './anthropic/anthropic.ts'
import { inspectAnthropic } from './anthropic/inspect.ts'
import { fromAnthropicUsage } from './anthropic/usage.ts'
import { gemini } from './gemini/gemini.ts'
import { inspectGemini } from './gemini/inspect.ts'
import { fromGeminiUsage } from './gemini/usage.ts'
import { inspectOpenaiChat } from './openai-chat/inspect.ts'
import { openaiChat } from './openai-chat/openai-chat.ts'
import { fromOpenaiUsage } from './openai-chat/usage.ts'
import { inspectOpenaiResponses } from './openai-responses/inspect.ts'
import { openaiResponses } from './openai-responses/openai-responses.ts'
import { fromResponsesUsage } from './openai-responses/usage.ts'
import type { Protocol } from './protocol.ts'
import type { UsageReader } from './usage-report.ts'

export const PROTOCOLS: Readonly<Record<ProtocolId, Protocol>> = {
  'openai-responses': { ...openaiResponses, inspect: inspectOpenaiResponses },
  'openai-chat': { ...openaiChat, inspect: inspectOpenaiChat },
  anthropic: { ...anthropic, inspect: inspectAnthropic },
  gemini: { ...gemini, inspect: inspectGemini },
}

/** For usage objects that did not come with a response (the price quote). */
export const USAGE_READERS: Readonly<Record<ProtocolId, UsageReader>> = {
  'openai-responses': fromResponsesUsage,
  'openai-chat': fromOpenaiUsage,
  anthropic: fromAnthropicUsage,
  gemini: fromGeminiUsage,
}
