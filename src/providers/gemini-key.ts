/** Google's Generative Language API by API key. The API version is the client's: v1beta and v1 offer different fields. */
import { geminiLimit } from './limits/gemini-limits.ts'
import type { Provider } from './provider.ts'
import { idsIn, joinUrl } from './provider.ts'

const PUBLIC_BASE_URL = 'https://generativelanguage.googleapis.com'

export const geminiKey: Provider = {
  id: 'gemini-key',
  platform: 'gemini',
  accountType: 'api_key',
  speaks: ['gemini'],
  lacks: [],
  endpoint: ({ account, operation, model, version, search }) =>
    joinUrl(
      account.credentials.baseUrl ?? PUBLIC_BASE_URL,
      version,
      operation.path.replace('{model}', () => encodeURIComponent(model)),
    ) + search,
  modelList: {
    url: (account) => joinUrl(account.credentials.baseUrl ?? PUBLIC_BASE_URL, 'v1beta', '/models?pageSize=1000'),
    ids: (list) => idsIn(list, 'models', 'name').map((name) => name.replace(/^models\//, '')),
  },
  authorize: (_account, secret) => ({ 'x-goog-api-key': secret }),
  defaultHeaders: { 'content-type': 'application/json' },
  forwardHeaders: new Set(['accept-language', 'content-type', 'user-agent', 'x-goog-api-client']),
  forwardPrefixes: [],
  readLimit: geminiLimit,
  readSnapshot: null,
  snapshotPrefix: '',
  familyOf: (model) => model,
  forceStoreFalse: false,
  accept: 'any',
}
