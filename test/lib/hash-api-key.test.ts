import { expect, test } from 'bun:test'
import { createKeyHash, hashApiKey } from '../../src/lib/hash-api-key.ts'
import { deriveSecret } from '../../src/lib/secretbox.ts'

test('a key is hashed with HMAC-SHA256: the vector of RFC 4231, test case 2 (KEY-1)', () => {
  const pepper = new TextEncoder().encode('Jefe')
  expect(hashApiKey(pepper, 'what do ya want for nothing?')).toBe(
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  )
})

test('without the pepper the hash cannot be found again (KEY-1)', () => {
  const one = deriveSecret('secret one', 'api key pepper v1')
  const other = deriveSecret('secret two', 'api key pepper v1')
  expect(hashApiKey(one, 'tp_abc')).toBe(hashApiKey(one, 'tp_abc'))
  expect(hashApiKey(one, 'tp_abc')).not.toBe(hashApiKey(other, 'tp_abc'))
  expect(hashApiKey(one, 'tp_abc')).not.toBe(hashApiKey(one, 'tp_abd'))
})

test('one that hashes many keeps nothing of one key for the next (KEY-1)', () => {
  const pepper = deriveSecret('secret one', 'api key pepper v1')
  const hash = createKeyHash(pepper)
  for (const key of ['tp_abc', '', 'tp_abd', 'tp_abc']) expect(hash(key)).toBe(hashApiKey(pepper, key))
})
