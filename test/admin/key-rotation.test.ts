/** Another ENCRYPTION_KEY, and everything goes on (ACC-8). */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type KeyRotation, rotateEncryptionKey } from '../../src/admin/key-rotation.ts'
import { openPepper } from '../../src/admin/pepper.ts'
import { keyFileIn } from '../../src/admin/secrets.ts'
import { sealCredentials, sealProxyCredentials } from '../../src/db/account-credentials.ts'
import { listenForChanges } from '../../src/db/changes.ts'
import { loadDirectory } from '../../src/db/directory.ts'
import { insertProxy } from '../../src/db/proxies.ts'
import { newId } from '../../src/lib/ids.ts'
import { createSecretbox, deriveSecret } from '../../src/lib/secretbox.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { granted, seedAccount } from '../support/seed.ts'

const OLD = 'the key that it was sealed with'
const NEW = 'the key that takes its place'
const oldBox = createSecretbox(OLD)
const newBox = createSecretbox(NEW)
let database: FreshDatabase
let home: string
beforeEach(async () => {
  database = await freshDatabase()
  home = mkdtempSync(join(tmpdir(), 'turnpike-rotation-'))
})
afterEach(async () => {
  rmSync(home, { recursive: true, force: true })
  await database.drop()
})

const rotate = (more: Partial<KeyRotation> = {}) =>
  rotateEncryptionKey({
    database,
    currentKey: OLD,
    previousKeys: [],
    newKey: NEW,
    keyFile: null,
    whileRunning: false,
    ...more,
  })

async function seedSecrets(): Promise<void> {
  const [accountId, proxyId] = [newId(), newId()]
  const sealedCredentials = sealCredentials(oldBox, accountId, { apiKey: 'sk-1' })
  await seedAccount(database.db, { id: accountId, sealedCredentials } as Parameters<typeof seedAccount>[1])
  const sealed = sealProxyCredentials(oldBox, proxyId, { username: 'u', password: 'p' })
  granted(
    await insertProxy(database.db, {
      id: proxyId,
      name: 'p',
      url: 'http://proxy.example:1',
      sealedCredentials: sealed,
    }),
  )
}

describe('rotate-encryption-key', () => {
  test('API keys and admin tokens stay good: the pepper outlives the key it was made from (ACC-8, KEY-1)', async () => {
    await seedSecrets()
    const before = await openPepper(database.db, oldBox, OLD)
    // As installations had it before it was kept: no key that was handed out is lost by the upgrade.
    expect(Buffer.from(before)).toEqual(Buffer.from(deriveSecret(OLD, 'api key pepper v1')))
    expect(await rotate()).toBe(3)
    expect(Buffer.from(await openPepper(database.db, newBox, NEW))).toEqual(Buffer.from(before))
  })

  test('an installation that never kept its pepper keeps it before its key is gone (ACC-8)', async () => {
    await rotate()
    const pepper = await openPepper(database.db, newBox, NEW)
    expect(Buffer.from(pepper)).toEqual(Buffer.from(deriveSecret(OLD, 'api key pepper v1')))
  })

  test('a wrong key at the very first start is not taken for the right one (ACC-8)', async () => {
    await seedSecrets()
    const wrong = 'a key that sealed nothing here'
    const known = createSecretbox(wrong, [OLD])
    for (const box of [createSecretbox(wrong), known]) {
      await expect(openPepper(database.db, box, wrong)).rejects.toThrow('ENCRYPTION_KEY is not the one')
    }
    const pepper = await openPepper(database.db, oldBox, OLD)
    expect(Buffer.from(pepper)).toEqual(Buffer.from(deriveSecret(OLD, 'api key pepper v1')))
  })

  test('instances that start at once agree on one pepper (KEY-1)', async () => {
    const opened = await Promise.all(
      Array.from({ length: 8 }, () => openPepper(database.db, createSecretbox(OLD), OLD)),
    )
    expect(new Set(opened.map((pepper) => Buffer.from(pepper).toString('hex'))).size).toBe(1)
  })

  test('afterwards the new key opens every secret and the old one none; twice changes nothing (ACC-8)', async () => {
    await seedSecrets()
    await rotate()
    const { accounts, proxies } = await loadDirectory(database.sql, newBox)
    expect([accounts[0]?.credentials, proxies[0]?.url]).toEqual([{ apiKey: 'sk-1' }, 'http://u:p@proxy.example:1/'])
    const old = await loadDirectory(database.sql, oldBox)
    expect([old.accounts[0]?.credentials, old.accounts[0]?.status]).toEqual([{}, 'error'])
    await expect(openPepper(database.db, oldBox, OLD)).rejects.toThrow('ENCRYPTION_KEY is not the one')
    expect(await rotate({ currentKey: NEW, previousKeys: [OLD] })).toBe(0)
  })

  test('a gateway that runs is not left without its accounts: refused, unless it knows both keys (ACC-8)', async () => {
    await seedSecrets()
    const unlisten = await listenForChanges(database.sql, { onChange: () => {}, onReconnect: () => {} })
    try {
      await expect(rotate()).rejects.toThrow('a gateway is running on this database')
      expect((await loadDirectory(database.sql, oldBox)).accounts[0]?.credentials).toEqual({ apiKey: 'sk-1' })
      expect(await rotate({ whileRunning: true })).toBe(2)
      const both = createSecretbox(NEW, [OLD])
      expect((await loadDirectory(database.sql, both)).accounts[0]?.credentials).toEqual({ apiKey: 'sk-1' })
    } finally {
      await unlisten()
    }
  })

  test('a key that is kept in DATA_DIR is replaced there, readable by its owner only (ACC-8)', async () => {
    const keyFile = keyFileIn(home)
    writeFileSync(keyFile, `${OLD}\n`, { mode: 0o600 })
    await rotate({ keyFile })
    expect(readFileSync(keyFile, 'utf8')).toBe(`${NEW}\n`)
    expect(statSync(keyFile).mode & 0o777).toBe(0o600)
    expect(existsSync(`${keyFile}.new`)).toBe(false)
  })

  test('killed between the database and the file: the same command finishes it, with another key too (ACC-8)', async () => {
    await seedSecrets()
    const keyFile = keyFileIn(home)
    writeFileSync(keyFile, `${OLD}\n`)
    await rotate()
    // The file still has the old key, and the new one lies beside it: that is what a kill leaves.
    writeFileSync(`${keyFile}.new`, `${NEW}\n`)
    expect(await rotate({ keyFile, newKey: 'yet another key of some length' })).toBe(3)
    expect(readFileSync(keyFile, 'utf8')).toBe('yet another key of some length\n')
  })

  test('a secret that no known key opens stops it, and everything stays as it was (ACC-8)', async () => {
    await seedSecrets()
    const id = newId()
    const foreign = sealCredentials(createSecretbox('somebody else’s'), id, { apiKey: 'x' })
    await seedAccount(database.db, { id, sealedCredentials: foreign } as Parameters<typeof seedAccount>[1])
    const keyFile = keyFileIn(home)
    writeFileSync(keyFile, `${OLD}\n`)
    await expect(rotate({ keyFile })).rejects.toThrow(`cannot open the secret of account:${id}`)
    expect(readFileSync(keyFile, 'utf8')).toBe(`${OLD}\n`)
    const { accounts } = await loadDirectory(database.sql, oldBox)
    expect(accounts.filter(({ status }) => status === 'active')).toHaveLength(1)
  })
})
