import { afterEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAdminToken, openEncryptionKey } from '../../src/admin/secrets.ts'
import { keepSecret } from '../../src/lib/kept-secret.ts'

const folders: string[] = []
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'turnpike-secret-'))
  folders.push(made)
  return made
}
afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true })
})

describe('a kept secret', () => {
  test('is made once and the same ever after (OPS-3)', () => {
    const path = join(folder(), 'deep', 'secret')
    expect(keepSecret(path, () => 'first')).toEqual({ value: 'first', made: true })
    expect(keepSecret(path, () => 'second')).toEqual({ value: 'first', made: false })
  })

  test('can be read by its owner only, and leaves nothing else behind (OPS-3)', () => {
    const place = folder()
    keepSecret(join(place, 'secret'), () => 'x')
    expect(statSync(join(place, 'secret')).mode & 0o777).toBe(0o600)
    expect(readdirSync(place)).toEqual(['secret'])
  })

  test('a file another process made meanwhile wins (OPS-3, OPS-4)', () => {
    const path = join(folder(), 'secret')
    const mine = keepSecret(path, () => {
      writeFileSync(path, 'theirs\n')
      return 'mine'
    })
    expect(mine).toEqual({ value: 'theirs', made: false })
    expect(readFileSync(path, 'utf8')).toBe('theirs\n')
  })

  test('an empty file is an error naming it, never a new secret (ACC-8)', () => {
    const path = join(folder(), 'secret')
    writeFileSync(path, '\n')
    expect(() => keepSecret(path, () => 'new')).toThrow(path)
  })
})

describe('secrets of the gateway', () => {
  const none = { adminToken: null, encryptionKey: null, databaseUrl: null }

  test('with no environment a token and a key are made, and the token counts as new only the first time (OPS-3)', () => {
    const dataDir = folder()
    const first = openAdminToken({ dataDir, ...none })
    expect(first).toMatchObject({ made: true, warnings: [], path: join(dataDir, 'admin-token') })
    expect(first.value).toMatch(/^tpa_[0-9a-f]{64}$/)
    expect(openAdminToken({ dataDir, ...none })).toEqual({ ...first, made: false })
    expect(openAdminToken({ dataDir: folder(), ...none }).value).not.toBe(first.value)
    const key = openEncryptionKey({ dataDir, ...none })
    expect(key.value).toMatch(/^[0-9a-f]{64}$/)
    expect(openEncryptionKey({ dataDir, ...none })).toEqual(key)
  })

  test('the environment wins and nothing is written for it (OPS-3)', () => {
    const dataDir = folder()
    const settings = { dataDir, adminToken: 'a'.repeat(20), encryptionKey: 'b'.repeat(20), databaseUrl: 'postgres://x' }
    expect(openAdminToken(settings)).toMatchObject({ value: 'a'.repeat(20), made: false, warnings: [] })
    expect(openEncryptionKey(settings)).toEqual({ value: 'b'.repeat(20), warnings: [] })
    expect(readdirSync(dataDir)).toEqual([])
  })

  test('weak or unshared secrets are pointed out without showing them (OPS-4)', () => {
    const settings = { dataDir: folder(), adminToken: 'hunter2', encryptionKey: null, databaseUrl: 'postgres://x' }
    const warnings = [...openAdminToken(settings).warnings, ...openEncryptionKey(settings).warnings]
    expect(warnings).toHaveLength(2)
    expect(warnings.join()).not.toContain('hunter2')
  })
})
