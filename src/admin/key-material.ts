/** A secret that is handed out once: what the holder gets, and what is stored of it (KEY-1). */
import type { KeyMaterial } from '../db/api-keys.ts'
import { hashApiKey } from '../lib/hash-api-key.ts'

export interface NewSecret extends KeyMaterial {
  /** In clear: for the one answer that shows it. */
  secret: string
}

/** How much of a key is kept readable at its front, after the common prefix. */
const SHOWN_CHARACTERS = 4

/** The prefix and 32 random bytes in hex. */
export function makeSecret(prefix: string, pepper: Uint8Array): NewSecret {
  const random = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex')
  return { ...storedForm(prefix + random, prefix, pepper), secret: prefix + random }
}

/** Of a key that exists already (import): the same, but never so much of a short key that the rest could be guessed. */
export function storedForm(key: string, prefix: string, pepper: Uint8Array): KeyMaterial {
  const few = Math.min(prefix.length + SHOWN_CHARACTERS, Math.floor(key.length / 4))
  return {
    keyHash: hashApiKey(pepper, key),
    keyPrefix: key.slice(0, few),
    keyLast4: key.length >= 16 ? key.slice(-4) : '',
  }
}
