/** Anthropic by an OAuth access token, sent as the Bearer credential. The client's own headers pass; nothing imitates another client. */
import { anthropicKey } from './anthropic-key.ts'
import type { Provider } from './provider.ts'

export const anthropicOauth: Provider = {
  ...anthropicKey,
  id: 'anthropic-oauth',
  accountType: 'oauth',
  authorize: (_account, secret) => ({ authorization: `Bearer ${secret}` }),
}
