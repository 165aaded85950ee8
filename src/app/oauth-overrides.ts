/** `OAUTH_<PLATFORM>_…` of the configuration, as the table of OAuth facts takes it. */
import type { Config } from '../config.ts'
import type { Platform } from '../core/platform.ts'
import type { OauthOverrides } from '../providers/oauth/oauth.ts'

export function toOauthOverrides(config: Config): Partial<Record<Platform, OauthOverrides>> {
  return { openai: of(config, 'Openai'), anthropic: of(config, 'Anthropic'), gemini: of(config, 'Gemini') }
}

function of(config: Config, platform: 'Openai' | 'Anthropic' | 'Gemini'): OauthOverrides {
  return {
    authorizeUrl: config[`oauth${platform}AuthorizeUrl`],
    tokenUrl: config[`oauth${platform}TokenUrl`],
    clientId: config[`oauth${platform}ClientId`],
    clientSecret: config[`oauth${platform}ClientSecret`],
    redirectUri: config[`oauth${platform}RedirectUri`],
    scopes: config[`oauth${platform}Scopes`],
  }
}
