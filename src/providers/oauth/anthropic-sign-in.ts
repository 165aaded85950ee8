/**
 * Anthropic's OAuth. The addresses are public; client ids are given to applications, and the one of Anthropic's own clients is not ours to use:
 * the operator configures his (`OAUTH_ANTHROPIC_CLIENT_ID`). Until then pasted tokens work until they expire.
 */
import type { OauthFacts } from './oauth.ts'

export const anthropicSignIn: OauthFacts = {
  authorizeUrl: 'https://claude.ai/oauth/authorize',
  tokenUrl: 'https://console.anthropic.com/v1/oauth/token',
  clientId: null,
  clientSecret: null,
  redirectUri: 'https://console.anthropic.com/oauth/code/callback',
  scopes: 'user:profile user:inference',
  // The callback page shows `code#state` for the person to copy.
  authorizeParameters: { code: 'true' },
  exchangeBody: 'json',
  refreshBody: 'json',
  exchangeTakesState: true,
  readClaims: () => ({}),
}
