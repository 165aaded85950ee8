/** The parts of token counts that few requests have, as they are stored: only those that are not 0. */
import type { Usage } from '../core/usage.ts'
import { TOKEN_PARTS, type TokenParts } from './usage-records.ts'

/** Null when the request had none of them, as most have not. */
export function partsOf(usage: Usage): TokenParts | null {
  let parts: TokenParts | null = null
  for (const part of TOKEN_PARTS) {
    if (usage[part] === 0) continue
    parts ??= {}
    parts[part] = usage[part]
  }
  return parts
}
