import { afterEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSecrets } from '../../src/admin/secrets.ts'
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

  test('with no environment a token and a key are made, and shown as new only the first time (OPS-3)', () => {
    const dataDir = folder()
    const first = openSecrets({ dataDir, ...none })
    const next = openSecrets({ dataDir, ...none })
    expect(first.newAdminToken).toMatch(/^tpa_[0-9a-f]{64}$/)
    expect(next).toEqual({ ...first, newAdminToken: null })
    expect(first.encryptionKey).toMatch(/^[0-9a-f]{64}$/)
    expect(openSecrets({ dataDir: folder(), ...none }).adminToken).not.toBe(first.adminToken)
  })

  test('the environment wins and nothing is written for it (OPS-3)', () => {
    const dataDir = folder()
    const secrets = openSecrets({
      dataDir,
      adminToken: 'a'.repeat(20),
      encryptionKey: 'b'.repeat(20),
      databaseUrl: 'postgres://x',
    })
    expect(secrets).toMatchObject({
      adminToken: 'a'.repeat(20),
      encryptionKey: 'b'.repeat(20),
      newAdminToken: null,
      warnings: [],
    })
    expect(readdirSync(dataDir)).toEqual([])
  })

  test('weak or unshared secrets are pointed out without showing them (OPS-4)', () => {
    const { warnings } = openSecrets({
      dataDir: folder(),
      adminToken: 'hunter2',
      encryptionKey: null,
      databaseUrl: 'postgres://x',
    })
    expect(warnings).toHaveLength(2)
    expect(warnings.join()).not.toContain('hunter2')
  })
})
