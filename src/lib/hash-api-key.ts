/**
 * How bearer secrets (API keys, admin tokens) are stored and looked up: HMAC-SHA256 under a pepper that is not in the
 * database, in hex (KEY-1). The secrets are 32 random bytes, so a slow password hash would add nothing but delay: this one
 * takes about 1 µs. `pepper` comes from `deriveSecret(ENCRYPTION_KEY, 'api key pepper v1')`.
 */
export function hashApiKey(pepper: Uint8Array, key: string): string {
  return createKeyHash(pepper)(key)
}

/** For who hashes many: the pepper is worked in once, which is most of the cost of a hash. */
export function createKeyHash(pepper: Uint8Array): (key: string) => string {
  const peppered = new Bun.CryptoHasher('sha256', pepper)
  return (key) => peppered.copy().update(key).digest('hex')
}
