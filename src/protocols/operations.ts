/** Every metered or free endpoint of the four protocols. `http/` gives them routes; the relay takes `path` for the upstream's URL. */
import type { Operation } from './protocol.ts'

const openaiChat = { protocol: 'openai-chat', metered: true, generates: true } as const
const openaiResponses = { protocol: 'openai-responses', metered: true, generates: true } as const
const anthropic = { protocol: 'anthropic' } as const
const gemini = { protocol: 'gemini' } as const

export const OPERATIONS = {
  responses: { id: 'responses', ...openaiResponses, streaming: 'body', path: '/responses' },
  responses_compact: { id: 'responses_compact', ...openaiResponses, streaming: 'never', path: '/responses/compact' },
  chat_completions: { id: 'chat_completions', ...openaiChat, streaming: 'body', path: '/chat/completions' },
  completions: { id: 'completions', ...openaiChat, streaming: 'body', path: '/completions' },
  embeddings: { id: 'embeddings', ...openaiChat, generates: false, streaming: 'never', path: '/embeddings' },
  messages: { id: 'messages', ...anthropic, metered: true, generates: true, streaming: 'body', path: '/messages' },
  count_tokens: {
    id: 'count_tokens',
    ...anthropic,
    metered: false,
    generates: false,
    streaming: 'never',
    path: '/messages/count_tokens',
  },
  generate_content: geminiVerb('generate_content', 'generateContent'),
  stream_generate_content: geminiVerb('stream_generate_content', 'streamGenerateContent'),
  gemini_count_tokens: geminiVerb('gemini_count_tokens', 'countTokens'),
  embed_content: geminiVerb('embed_content', 'embedContent'),
  batch_embed_contents: geminiVerb('batch_embed_contents', 'batchEmbedContents'),
} as const satisfies Record<string, Operation>

export type OperationId = keyof typeof OPERATIONS

/** Gemini names the model in its path: `{model}` stands for it. */
function geminiVerb(id: string, verb: string): Operation {
  const streaming = verb === 'streamGenerateContent' ? 'path' : 'never'
  const generates = verb === 'generateContent' || verb === 'streamGenerateContent'
  return { id, ...gemini, metered: verb !== 'countTokens', generates, streaming, path: `/models/{model}:${verb}` }
}
