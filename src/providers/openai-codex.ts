/** OpenAI by ChatGPT sign-in: the Codex Responses endpoint (REL-3). It stores nothing, and says so in every request. */

import { codexLimit, codexSnapshot } from './limits/codex-limits.ts'
import { OPENAI_FORWARD_HEADERS, OPENAI_FORWARD_PREFIXES } from './openai-key.ts'
import type { Provider } from './provider.ts'

const CODEX_BASE_URL = 'https://chatgpt.com/backend-api/codex'

export const openaiCodex: Provider = {
  id: 'openai-codex',
  platform: 'openai',
  accountType: 'oauth',
  speaks: ['openai-responses'],
  lacks: [],
  endpoint: ({ account, operation, search }) => {
    const base = account.credentials.baseUrl ?? CODEX_BASE_URL
    return (base.endsWith('/') ? base.slice(0, -1) : base) + operation.path + search
  },
  modelList: null,
  authorize: (account, secret) => {
    const headers: Record<string, string> = { authorization: `Bearer ${secret}` }
    if (account.credentials.chatgptAccountId) headers['chatgpt-account-id'] = account.credentials.chatgptAccountId
    return headers
  },
  defaultHeaders: { 'content-type': 'application/json' },
  forwardHeaders: OPENAI_FORWARD_HEADERS,
  forwardPrefixes: OPENAI_FORWARD_PREFIXES,
  readLimit: codexLimit,
  readSnapshot: codexSnapshot,
  snapshotPrefix: 'codex',
  familyOf: (model) => model,
  forceStoreFalse: true,
  accept: 'by-stream',
}
