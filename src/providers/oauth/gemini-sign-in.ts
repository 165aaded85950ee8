/**
 * Google's OAuth for installed applications: https://developers.google.com/identity/protocols/oauth2/native-app, with the scopes of
 * https://ai.google.dev/gemini-api/docs/oauth. Client id and secret are of the operator's own Google Cloud project, as that page tells
 * (`OAUTH_GEMINI_CLIENT_ID`, `OAUTH_GEMINI_CLIENT_SECRET`).
 */
import type { OauthFacts } from './oauth.ts'

export const geminiSignIn: OauthFacts = {
  authorizeUrl: 'https://accounts.google.com/o/oauth2/v2/auth',
  tokenUrl: 'https://oauth2.googleapis.com/token',
  clientId: null,
  clientSecret: null,
  redirectUri: 'http://localhost:8085/oauth2callback',
  scopes:
    'https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/generative-language.retriever',
  // Google gives a refresh token only for offline access, and again only when consent is asked for.
  authorizeParameters: { access_type: 'offline', prompt: 'consent' },
  exchangeBody: 'form',
  refreshBody: 'form',
  exchangeTakesState: false,
  readClaims: () => ({}),
}
