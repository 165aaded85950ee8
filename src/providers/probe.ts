/**
 * The smallest real request of each kind of account (ACC-15): which operation, the cheapest model that every such account has, a body that
 * asks for as few tokens as the vendor lets one ask for. Data; `relay/probe.ts` sends it.
 */
import type { Account } from '../core/entities.ts'
import { OPERATIONS } from '../protocols/operations.ts'
import type { Operation } from '../protocols/protocol.ts'
import type { ProviderId } from './provider.ts'
import { providerFor } from './table.ts'

export interface Probe {
  operation: Operation
  defaultModel: string
  stream: boolean
  body(model: string): object
}

const QUESTION = 'Say ok'

/** Every service that speaks an OpenAI dialect under a base URL of its own speaks this one, with `max_tokens`. */
const compatibleChat: Probe = {
  operation: OPERATIONS.chat_completions,
  defaultModel: 'gpt-4.1-nano',
  stream: false,
  body: (model) => ({ model, messages: [{ role: 'user', content: QUESTION }], max_tokens: 1 }),
}

/** OpenAI itself refuses `max_tokens` for its newer models; 16 is the least that `max_output_tokens` may be. */
const responses: Probe = {
  operation: OPERATIONS.responses,
  defaultModel: 'gpt-4.1-nano',
  stream: false,
  body: (model) => ({ model, input: QUESTION, max_output_tokens: 16, store: false }),
}

/** The Codex endpoint streams only, wants the input as a list and takes no cap: the answer is as short as the question asks. */
const codex: Probe = {
  operation: OPERATIONS.responses,
  defaultModel: 'gpt-5.1-codex-mini',
  stream: true,
  body: (model) => ({
    model,
    instructions: 'Answer with one word.',
    input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: QUESTION }] }],
    store: false,
    stream: true,
  }),
}

const messages: Probe = {
  operation: OPERATIONS.messages,
  defaultModel: 'claude-haiku-4-5',
  stream: false,
  body: (model) => ({ model, max_tokens: 1, messages: [{ role: 'user', content: QUESTION }] }),
}

const generateContent: Probe = {
  operation: OPERATIONS.generate_content,
  defaultModel: 'gemini-2.5-flash-lite',
  stream: false,
  body: () => ({
    contents: [{ role: 'user', parts: [{ text: QUESTION }] }],
    generationConfig: { maxOutputTokens: 1 },
  }),
}

const PROBES: Readonly<Partial<Record<ProviderId, (account: Account) => Probe>>> = {
  'openai-key': ({ credentials }) => (credentials.baseUrl === undefined ? responses : compatibleChat),
  'openai-codex': () => codex,
  'anthropic-key': () => messages,
  'anthropic-oauth': () => messages,
  'gemini-key': () => generateContent,
  'gemini-oauth': () => generateContent,
}

/** Null: this kind of account can't be tested. */
export function probeFor(account: Account): Probe | null {
  const provider = providerFor(account.platform, account.type)
  return provider ? (PROBES[provider.id]?.(account) ?? null) : null
}
