import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  openCredentials,
  rotateSecrets,
  sealCredentials,
  sealProxyCredentials,
} from '../../src/db/account-credentials.ts'
import {
  deleteAccountById,
  findAccountById,
  insertAccount,
  listAccounts,
  updateAccountById,
  updateAccountCredentialsById,
  updateAccountStateById,
} from '../../src/db/accounts.ts'
import { updateApiKeyById } from '../../src/db/api-keys.ts'
import { deleteProxyById, findProxyById, insertProxy, listProxies, updateProxyById } from '../../src/db/proxies.ts'
import { newId } from '../../src/lib/ids.ts'
import { createSecretbox } from '../../src/lib/secretbox.ts'
import { AccountView } from '../../src/schema/account-views.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { granted, seedAccount, seedGroup, seedKey } from '../support/seed.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

describe('accounts', () => {
  test('is shown in the contract’s names, its secrets masked (ACC-8)', async () => {
    const group = await seedGroup(database.db)
    const account = await seedAccount(database.db, { groupIds: [group.id], requestTimeoutMs: 1500 })
    const view = AccountView.show(account)
    expect(view).toMatchObject({
      platform: 'openai',
      type: 'api_key',
      credentials: { api_key: '…1234' },
      priority: 50,
      concurrency: 0,
      group_ids: [group.id],
      model_mapping: {},
      proxy_id: null,
      rate_multiplier: 1,
      custom_error_codes: null,
      request_timeout: 1.5,
      month_request_count: 0,
      upstream_cost_usd: 0,
    })
    expect(JSON.stringify(view)).not.toContain('v1.sealed')
  })

  test('groups and proxy must exist and be of the account’s platform; a refusal changes nothing (ACC)', async () => {
    const { db } = database
    const gemini = await seedGroup(db, { platform: 'gemini' })
    const nobody = '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e10'
    const account = await seedAccount(db)
    expect(await updateAccountById(db, account.id, { name: 'x', groupIds: [gemini.id] })).toEqual({
      fault: 'invalid',
      field: 'group_ids',
      message: `group ${gemini.id} is not of platform openai`,
    })
    expect(await updateAccountById(db, account.id, { name: 'x', groupIds: ['no id'] })).toMatchObject({
      field: 'group_ids',
    })
    expect(await updateAccountById(db, account.id, { name: 'x', proxyId: nobody })).toMatchObject({ field: 'proxy_id' })
    expect((await findAccountById(db, account.id))?.name).toBe(account.name)
    const secret = { sealedCredentials: 's', credentialHint: {} }
    const created = await insertAccount(db, {
      name: 'x',
      platform: 'openai',
      type: 'api_key',
      groupIds: [nobody],
      ...secret,
    })
    expect(created).toMatchObject({ field: 'group_ids' })
  })

  test('an operator’s edit and what the relay learns do not overwrite each other (ACC-6, ACC-11)', async () => {
    const { db } = database
    const account = await seedAccount(db)
    const until = new Date('2026-07-24T18:00:00Z')
    await Promise.all([
      updateAccountById(db, account.id, { priority: 1 }),
      updateAccountStateById(db, account.id, { rateLimitedUntil: until, extra: { codex_5h_used_percent: 12 } }),
      updateAccountStateById(db, account.id, { extra: { codex_7d_used_percent: 3 } }),
    ])
    expect(await findAccountById(db, account.id)).toMatchObject({
      priority: 1,
      rateLimitedUntil: until,
      extra: { codex_5h_used_percent: 12, codex_7d_used_percent: 3 },
    })
    expect(await updateAccountStateById(db, account.id, {})).toBe(true)
    expect(await updateAccountStateById(db, 'no id', { schedulable: false })).toBe(false)
  })

  test('switching an account on again clears the reason of its error (ACC-6)', async () => {
    const { db } = database
    const account = await seedAccount(db)
    await updateAccountStateById(db, account.id, { status: 'error', errorMessage: 'invalid_grant' })
    expect(granted(await updateAccountById(db, account.id, { status: 'active' })).errorMessage).toBeNull()
  })

  test('of two token refreshes at once exactly one is stored (ACC-10)', async () => {
    const { db } = database
    const account = await seedAccount(db)
    const refresh = (sealedCredentials: string) =>
      updateAccountCredentialsById(db, account.id, {
        sealedCredentials,
        credentialHint: {},
        previousSealed: account.sealedCredentials,
      })
    const stored = await Promise.all([refresh('v1.one'), refresh('v1.two')])
    expect(stored.filter(Boolean)).toHaveLength(1)
    const { sealedCredentials } = granted(await findAccountById(db, account.id))
    expect(sealedCredentials).toBe(stored[0] ? 'v1.one' : 'v1.two')
  })

  test('deleting an account wipes its credentials at once; one that keys are bound to stays (ACC-8, KEY-5)', async () => {
    const { db, sql } = database
    const account = await seedAccount(db, { groupIds: [(await seedGroup(db)).id] })
    const key = await seedKey(db, { name: 'bound', boundAccounts: { openai: account.id } })
    expect(await deleteAccountById(db, account.id)).toEqual({
      fault: 'conflict',
      field: null,
      message: `account ${account.name} is bound to API keys: bound`,
    })
    granted(await updateApiKeyById(db, key.id, { boundAccounts: {} }, 'root'))
    expect(await deleteAccountById(db, account.id)).toBe(true)
    expect(await findAccountById(db, account.id)).toBeNull()
    const [row] = await sql`select name, sealed_credentials, credential_hint from accounts where id = ${account.id}`
    expect(row).toEqual({ name: account.name, sealed_credentials: '', credential_hint: {} })
    expect(await deleteAccountById(db, account.id)).toBe(false)
  })

  test('lists filter by platform, status and group (contract)', async () => {
    const { db } = database
    const group = await seedGroup(db)
    const account = await seedAccount(db, { groupIds: [group.id], status: 'disabled' })
    const find = async (filter: Parameters<typeof listAccounts>[1]) =>
      granted(await listAccounts(db, filter)).rows.map(({ id }) => id)
    expect(await find({ limit: 10, groupId: group.id })).toEqual([account.id])
    expect(await find({ limit: 10, status: 'disabled', platform: 'openai' })).toEqual([account.id])
    expect(await find({ limit: 10, platform: 'gemini' })).toEqual([])
    expect(await find({ limit: 10, groupId: 'no id' })).toEqual([])
  })
})

describe('secrets at rest', () => {
  test('rotation seals every secret under the new key; afterwards the old one is needed no more (ACC-8)', async () => {
    const { db, sql, drop } = await freshDatabase()
    const old = createSecretbox('the old encryption key')
    const id = newId()
    await seedAccount(db, { id, sealedCredentials: sealCredentials(old, id, { apiKey: 'sk-1' }) })
    const proxyId = newId()
    const sealed = sealProxyCredentials(old, proxyId, { username: 'u', password: 'p' })
    granted(await insertProxy(db, { id: proxyId, name: 'p', url: 'http://localhost:1', sealedCredentials: sealed }))
    const deleted = await seedAccount(db)
    await deleteAccountById(db, deleted.id)

    const both = createSecretbox('the new encryption key', ['the old encryption key'])
    expect(await rotateSecrets(sql, both)).toBe(2)
    expect(await rotateSecrets(sql, both)).toBe(0)
    const fresh = createSecretbox('the new encryption key')
    const account = granted(await findAccountById(db, id))
    expect(openCredentials(fresh, id, account.sealedCredentials)).toEqual({ apiKey: 'sk-1' })
    await drop()
  })
})

describe('proxies', () => {
  test('a proxy that accounts use is not deleted, and the refusal names them (REL-5)', async () => {
    const { db } = database
    const proxy = granted(
      await insertProxy(db, { name: 'frankfurt', url: 'http://localhost:1', sealedCredentials: null }),
    )
    const account = await seedAccount(db, { proxyId: proxy.id })
    expect(await deleteProxyById(db, proxy.id)).toMatchObject({
      fault: 'conflict',
      message: `proxy frankfurt is in use by account ${account.name}`,
    })
    granted(await deleteAccountById(db, account.id))
    expect(await deleteProxyById(db, proxy.id)).toBe(true)
    expect(await findProxyById(db, proxy.id)).toBeNull()
    expect(await deleteProxyById(db, proxy.id)).toBe(false)
  })

  test('names are unique, patches change what they name (contract)', async () => {
    const { db } = database
    const [one, two] = [
      granted(await insertProxy(db, { name: 'one', url: 'http://localhost:1', sealedCredentials: null })),
      granted(await insertProxy(db, { name: 'two', url: 'http://localhost:2', sealedCredentials: 's' })),
    ]
    expect(await updateProxyById(db, two.id, { name: 'one' })).toMatchObject({ fault: 'conflict', field: 'name' })
    expect(granted(await updateProxyById(db, two.id, { status: 'disabled' }))).toMatchObject({
      name: 'two',
      sealedCredentials: 's',
    })
    expect(granted(await listProxies(db, { limit: 10 })).rows.map(({ name }) => name)).toEqual(['two', 'one'])
    expect(await updateProxyById(db, one.id.replace(/.$/, 'g'), { status: 'active' })).toBeNull()
  })
})
