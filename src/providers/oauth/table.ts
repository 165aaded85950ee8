/** Which platforms have an OAuth sign-in, and what it takes, with what the operator configured laid over it. */
import type { Platform } from '../../core/platform.ts'
import { anthropicSignIn } from './anthropic-sign-in.ts'
import { geminiSignIn } from './gemini-sign-in.ts'
import { type OauthFacts, type OauthOverrides, withOverrides } from './oauth.ts'
import { openaiSignIn } from './openai-sign-in.ts'

export const OAUTH: Readonly<Partial<Record<Platform, OauthFacts>>> = {
  openai: openaiSignIn,
  anthropic: anthropicSignIn,
  gemini: geminiSignIn,
}

/** Null: the platform has none. */
export type OauthTable = (platform: Platform) => OauthFacts | null

export function createOauthTable(overrides: Readonly<Partial<Record<Platform, OauthOverrides>>> = {}): OauthTable {
  return (platform) => {
    const facts = OAUTH[platform]
    const own = overrides[platform]
    if (!facts) return null
    return own ? withOverrides(facts, own) : facts
  }
}
