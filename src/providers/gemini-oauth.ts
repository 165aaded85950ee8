/** Google's Generative Language API by an OAuth access token. */
import { geminiKey } from './gemini-key.ts'
import type { Provider } from './provider.ts'

export const geminiOauth: Provider = {
  ...geminiKey,
  id: 'gemini-oauth',
  accountType: 'oauth',
  authorize: (_account, secret) => ({ authorization: `Bearer ${secret}` }),
}
