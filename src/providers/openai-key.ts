/** OpenAI's public API by API key, and every service that speaks its dialects under another base URL. */
import { openaiLimit } from './limits/openai-limits.ts'
import type { Provider } from './provider.ts'
import { idsIn, joinUrl } from './provider.ts'

export const PUBLIC_BASE_URL = 'https://api.openai.com'

/** REL-4, and the session and request headers that Codex sends (its turns are joined by them upstream). */
export const OPENAI_FORWARD_HEADERS: ReadonlySet<string> = new Set([
  'accept-language',
  'content-type',
  'user-agent',
  'originator',
  'session_id',
  'session-id',
  'thread-id',
  'conversation_id',
  'x-client-request-id',
  'version',
])
export const OPENAI_FORWARD_PREFIXES: readonly string[] = ['x-codex-']

export const openaiKey: Provider = {
  id: 'openai-key',
  platform: 'openai',
  accountType: 'api_key',
  speaks: ['openai-responses', 'openai-chat'],
  lacks: [],
  endpoint: ({ account, operation, search }) =>
    joinUrl(account.credentials.baseUrl ?? PUBLIC_BASE_URL, 'v1', operation.path) + search,
  modelList: {
    url: (account) => joinUrl(account.credentials.baseUrl ?? PUBLIC_BASE_URL, 'v1', '/models'),
    ids: (list) => idsIn(list, 'data', 'id'),
  },
  authorize: (_account, secret) => ({ authorization: `Bearer ${secret}` }),
  defaultHeaders: { 'content-type': 'application/json' },
  forwardHeaders: OPENAI_FORWARD_HEADERS,
  forwardPrefixes: OPENAI_FORWARD_PREFIXES,
  readLimit: openaiLimit,
  readSnapshot: null,
  snapshotPrefix: '',
  familyOf: (model) => model,
  forceStoreFalse: false,
  accept: 'by-stream',
}
