/**
 * ChatGPT sign-in for the Codex endpoint. The values are those of https://github.com/openai/codex (Apache-2.0), codex-rs/login: tokens for that
 * endpoint are only given to this client id, and only to this redirect address. Its parameter `originator`, a client's own name, is not sent.
 */
import { asObject, asText } from '../../lib/json-values.ts'
import type { OauthFacts } from './oauth.ts'

export const openaiSignIn: OauthFacts = {
  authorizeUrl: 'https://auth.openai.com/oauth/authorize',
  tokenUrl: 'https://auth.openai.com/oauth/token',
  clientId: 'app_EMoamEEZ73f0CkXaXp7hrann',
  clientSecret: null,
  redirectUri: 'http://localhost:1455/auth/callback',
  scopes: 'openid profile email offline_access',
  // Puts the workspace into the id token, and skips a step that is for API keys.
  authorizeParameters: { id_token_add_organizations: 'true', codex_cli_simplified_flow: 'true' },
  exchangeBody: 'form',
  refreshBody: 'json',
  exchangeTakesState: false,
  readClaims(claims) {
    const chatgptAccountId = asText(asObject(claims['https://api.openai.com/auth'])?.chatgpt_account_id)
    return chatgptAccountId === null ? {} : { chatgptAccountId }
  },
}
