/** Anthropic's API by API key, and services that speak Messages under another base URL. */
import { anthropicFamily, anthropicLimit, anthropicSnapshot } from './limits/anthropic-limits.ts'
import type { Provider } from './provider.ts'
import { idsIn, joinUrl } from './provider.ts'

const PUBLIC_BASE_URL = 'https://api.anthropic.com'

/** REL-4. `anthropic-version` passes as the client said it, never changed (REL-19). */
const ANTHROPIC_FORWARD_HEADERS: ReadonlySet<string> = new Set([
  'accept-language',
  'content-type',
  'user-agent',
  'anthropic-version',
  'anthropic-beta',
  'x-app',
  'x-claude-code-session-id',
  'x-session-id',
  'session_id',
  'session-id',
])
const ANTHROPIC_FORWARD_PREFIXES: readonly string[] = ['x-stainless-']

/** The version that the API requires when a client sends none: https://docs.anthropic.com/en/api/versioning */
const ANTHROPIC_DEFAULT_HEADERS = {
  'content-type': 'application/json',
  'anthropic-version': '2023-06-01',
} as const

export const anthropicKey: Provider = {
  id: 'anthropic-key',
  platform: 'anthropic',
  accountType: 'api_key',
  speaks: ['anthropic'],
  lacks: [],
  endpoint: ({ account, operation, search }) =>
    joinUrl(account.credentials.baseUrl ?? PUBLIC_BASE_URL, 'v1', operation.path) + search,
  modelList: {
    url: (account) => joinUrl(account.credentials.baseUrl ?? PUBLIC_BASE_URL, 'v1', '/models?limit=1000'),
    ids: (list) => idsIn(list, 'data', 'id'),
  },
  authorize: (_account, secret) => ({ 'x-api-key': secret }),
  defaultHeaders: ANTHROPIC_DEFAULT_HEADERS,
  forwardHeaders: ANTHROPIC_FORWARD_HEADERS,
  forwardPrefixes: ANTHROPIC_FORWARD_PREFIXES,
  readLimit: anthropicLimit,
  readSnapshot: anthropicSnapshot,
  snapshotPrefix: 'anthropic',
  familyOf: anthropicFamily,
  forceStoreFalse: false,
  accept: 'by-stream',
}
