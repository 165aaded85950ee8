import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createSecretbox, deriveSecret } from '../../src/lib/secretbox.ts'

const SECRET = 'a master secret of some length'

describe('secretbox', () => {
  test('what was sealed opens to the same text, whatever the text (ACC-8)', () => {
    const box = createSecretbox(SECRET)
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (plain, context) => {
        expect(box.open(box.seal(plain, context), context)).toBe(plain)
      }),
    )
  })

  test('the text is not in the box, and no two boxes are alike (ACC-8)', () => {
    const box = createSecretbox(SECRET)
    const sealed = box.seal('sk-very-secret', 'account:1')
    expect(Buffer.from(sealed.split('.')[2] ?? '', 'base64url').toString('latin1')).not.toContain('very-secret')
    expect(box.seal('sk-very-secret', 'account:1')).not.toBe(sealed)
  })

  test('a box opens only in the context that it was sealed for (ACC-8)', () => {
    const box = createSecretbox(SECRET)
    const sealed = box.seal('sk-1', 'account:1')
    expect(() => box.open(sealed, 'account:2')).toThrow('cannot open the secret of account:2')
  })

  test('a box with any character changed does not open (ACC-8)', () => {
    const box = createSecretbox(SECRET)
    const sealed = box.seal('sk-1', 'account:1')
    for (let at = 0; at < sealed.length - 1; at++) {
      const other = sealed[at] === 'A' ? 'B' : 'A'
      const damaged = sealed.slice(0, at) + other + sealed.slice(at + 1)
      expect(() => box.open(damaged, 'account:1')).toThrow('cannot open')
    }
  })

  test('text that is no box is refused without an excuse (ACC-8)', () => {
    const box = createSecretbox(SECRET)
    for (const text of ['', 'v1', 'v1.x', `v1.${box.keyId}`, `v1.${box.keyId}.AAAA`, 'v2.a.b'])
      expect(() => box.open(text, 'account:1')).toThrow('cannot open')
  })

  test('another key does not open it, and the message holds no secret (ACC-8)', () => {
    const sealed = createSecretbox(SECRET).seal('sk-1', 'account:1')
    const other = createSecretbox('another master secret')
    expect(() => other.open(sealed, 'account:1')).toThrow(
      'cannot open the secret of account:1: it was sealed with another key',
    )
  })

  test('after a change of key old boxes still open, and rotate seals them under the new one (ACC-8)', () => {
    const old = createSecretbox(SECRET)
    const sealed = old.seal('sk-1', 'account:1')
    const box = createSecretbox('the new master secret', [SECRET])
    expect(box.open(sealed, 'account:1')).toBe('sk-1')

    const rotated = box.rotate(sealed, 'account:1')
    expect(rotated).toStartWith(`v1.${box.keyId}.`)
    expect(createSecretbox('the new master secret').open(rotated, 'account:1')).toBe('sk-1')
    expect(() => old.open(rotated, 'account:1')).toThrow('another key')
  })

  test('rotate leaves alone what is under the current key already (ACC-8)', () => {
    const box = createSecretbox(SECRET)
    const sealed = box.seal('sk-1', 'account:1')
    expect(box.rotate(sealed, 'account:1')).toBe(sealed)
  })

  test('secrets derived for two purposes have nothing in common', () => {
    expect(deriveSecret(SECRET, 'a')).not.toEqual(deriveSecret(SECRET, 'b'))
    expect(deriveSecret(SECRET, 'a')).toEqual(deriveSecret(SECRET, 'a'))
    expect(deriveSecret(SECRET, 'a')).toHaveLength(32)
  })
})
