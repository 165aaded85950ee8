/** The table of providers: which one serves an account follows from its platform and type, and from nothing else. */
import type { AccountType, Platform } from '../core/platform.ts'
import { anthropicKey } from './anthropic-key.ts'
import { anthropicOauth } from './anthropic-oauth.ts'
import { bedrock } from './bedrock.ts'
import { geminiKey } from './gemini-key.ts'
import { geminiOauth } from './gemini-oauth.ts'
import { openaiCodex } from './openai-codex.ts'
import { openaiKey } from './openai-key.ts'
import type { Provider } from './provider.ts'

export const PROVIDERS: readonly Provider[] = [
  openaiKey,
  openaiCodex,
  anthropicKey,
  anthropicOauth,
  geminiKey,
  geminiOauth,
  bedrock,
]

/** Platform, then type: asked several times per request, and text put together for a key costs more than two lookups. */
const byPlatform = new Map<Platform, Map<AccountType, Provider>>()
for (const provider of PROVIDERS) {
  const byType = byPlatform.get(provider.platform) ?? new Map<AccountType, Provider>()
  byPlatform.set(provider.platform, byType.set(provider.accountType, provider))
}

/** Null: no provider for that combination (the admin API refuses to save such an account). */
export function providerFor(platform: Platform, type: AccountType): Provider | null {
  return byPlatform.get(platform)?.get(type) ?? null
}
