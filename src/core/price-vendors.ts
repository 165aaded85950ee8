/**
 * Whose price counts when several vendors sell a model under one name (BIL-2): data, in order.
 * The account's platform comes first, then those who made models, then those who host other people's. Vendors not listed follow, by name.
 */
import type { Platform } from './platform.ts'

export const VENDORS_OF_PLATFORM: Readonly<Record<Platform, readonly string[]>> = {
  openai: ['openai'],
  anthropic: ['anthropic'],
  gemini: ['gemini', 'vertex_ai'],
  bedrock: ['bedrock'],
}

export const VENDOR_ORDER: readonly string[] = [
  'openai',
  'anthropic',
  'gemini',
  'deepseek',
  'xai',
  'mistral',
  'moonshot',
  'dashscope',
  'zai',
  'minimax',
  'perplexity',
  'cohere',
  'voyage',
  'bedrock',
  'vertex_ai',
  'azure',
  'groq',
  'cerebras',
  'fireworks_ai',
  'together_ai',
  'deepinfra',
  'openrouter',
]
