import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { toStoredBlock } from '../../src/core/account-block.ts'
import { sealCredentials, sealProxyCredentials } from '../../src/db/account-credentials.ts'
import { updateAccountStateById } from '../../src/db/accounts.ts'
import { deleteApiKeyById, rotateApiKeyById } from '../../src/db/api-keys.ts'
import { insertDefaultGroups } from '../../src/db/bootstrap.ts'
import { type Directory, loadDirectory, loadOne } from '../../src/db/directory.ts'
import { insertProxy, updateProxyById } from '../../src/db/proxies.ts'
import { insertReceipts } from '../../src/db/receipts.ts'
import { insertSubscription } from '../../src/db/subscriptions.ts'
import { deleteUserById } from '../../src/db/users.ts'
import { newId } from '../../src/lib/ids.ts'
import { createSecretbox } from '../../src/lib/secretbox.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { makeReceipt, NOON } from '../support/receipts.ts'
import { granted, seedAccount, seedGroup, seedKey, seedUser } from '../support/seed.ts'

const box = createSecretbox('the encryption key of the tests')
let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
  await insertDefaultGroups(database.db)
})
afterAll(() => database.drop())

const byId = <T extends { id: string }>(entries: T[], id: string) => entries.find((entry) => entry.id === id)

async function seedProxy(credentials: { username: string; password: string } | null) {
  const id = newId()
  const sealedCredentials = credentials && sealProxyCredentials(box, id, credentials)
  return granted(
    await insertProxy(database.db, { id, name: `proxy ${id}`, url: 'http://localhost:3128/', sealedCredentials }),
  )
}

describe('directory', () => {
  test('gives users, groups and keys as the request path wants them (KEY-3)', async () => {
    const { db, sql } = database
    const user = await seedUser(db, { email: 'ada@example.com', balanceNano: 1000n, quotaNano: 5000n })
    const group = await seedGroup(db, {
      name: 'exclusive',
      exclusive: true,
      userIds: [user.id],
      rateMultiplier: 1_500_000,
    })
    const key = await seedKey(db, {
      userId: user.id,
      groupId: group.id,
      expiresAt: new Date(NOON),
      tokenLimit: 5_000_000_000,
      rateLimitCostNano: 7n,
      models: ['gpt-*'],
      permissions: ['openai'],
    })
    await insertReceipts(
      sql,
      [makeReceipt({ userId: user.id, keyId: key.id, billingType: 'balance', costNano: 30n, chargedNano: 40n })],
      { timeZone: 'UTC' },
    )
    const directory = await loadDirectory(sql, box)
    expect(byId(directory.users, user.id)).toEqual({
      id: user.id,
      email: 'ada@example.com',
      username: 'ada',
      role: 'user',
      status: 'active',
      balanceNano: 960n,
      quotaNano: 5000n,
      usedNano: 40n,
    })
    expect(byId(directory.groups, group.id)).toEqual({
      id: group.id,
      name: 'exclusive',
      platform: 'openai',
      status: 'active',
      billingType: 'standard',
      rateMultiplier: 1_500_000,
      dailyLimitNano: null,
      weeklyLimitNano: null,
      monthlyLimitNano: null,
      exclusive: true,
      userIds: [user.id],
      fallbackGroupId: null,
      isDefault: false,
    })
    expect(directory.keys.find((entry) => entry.key.id === key.id)).toEqual({
      hash: key.keyHash,
      previous: null,
      key: {
        id: key.id,
        name: key.name,
        userId: user.id,
        groupId: group.id,
        active: true,
        expiresAtMs: NOON,
        expiresAfterDays: null,
        permissions: ['openai'],
        tokenLimit: 5_000_000_000,
        concurrencyLimit: 0,
        rateLimitWindowMinutes: 0,
        rateLimitRequests: 0,
        rateLimitTokens: 0,
        rateLimitCostNano: 7n,
        rpm: 0,
        tpm: 0,
        dailyCostLimitNano: 0n,
        weeklyCostLimitNano: 0n,
        totalCostLimitNano: 0n,
        modelRestriction: 'off',
        models: ['gpt-*'],
        clientRestriction: false,
        clients: [],
        ipAllow: [],
        ipDeny: [],
        boundAccounts: {},
        standalone: false,
        balanceNano: 0n,
        onClientDisconnect: null,
        sseKeepaliveSeconds: null,
      },
    })
  })

  test('gives accounts with their secrets open and their proxy’s full address (ACC-8, REL-5)', async () => {
    const { db, sql } = database
    const proxy = await seedProxy({ username: 'gate way', password: 'p@ss:word%2F' })
    const group = await seedGroup(db)
    const id = newId()
    await seedAccount(db, {
      id,
      name: 'main',
      sealedCredentials: sealCredentials(box, id, { apiKey: 'sk-1', baseUrl: 'http://localhost:1' }),
      groupIds: [group.id],
      proxyId: proxy.id,
      modelMapping: { a: 'b' },
      customErrorCodes: [429],
      requestTimeoutMs: 1500,
    })
    const block = { cause: 'rate_limited', source: 'retry-after', family: 'opus', message: null } as const
    const blocks = [{ ...block, sinceMs: NOON - 1000, untilMs: NOON }]
    const extra = { blocks: [...blocks.map(toStoredBlock), { what: 'an older version wrote' }, null] }
    await updateAccountStateById(db, id, { rateLimitedUntil: new Date(NOON), extra })
    const account = byId((await loadDirectory(sql, box)).accounts, id)
    expect(account).toEqual({
      id,
      name: 'main',
      platform: 'openai',
      type: 'api_key',
      credentials: { apiKey: 'sk-1', baseUrl: 'http://localhost:1' },
      groupIds: [group.id],
      status: 'active',
      schedulable: true,
      priority: 50,
      concurrency: 0,
      modelMapping: { a: 'b' },
      proxy: { id: proxy.id, name: proxy.name, url: expect.any(String), status: 'active' },
      rateMultiplier: 1_000_000,
      freeTier: false,
      customErrorCodes: [429],
      expiresAtMs: null,
      lastUsedAtMs: null,
      rateLimitedUntilMs: NOON,
      overloadedUntilMs: null,
      unschedulableUntilMs: null,
      blocks,
      firstByteTimeoutMs: null,
      streamIdleTimeoutMs: null,
      requestTimeoutMs: 1500,
      errorMessage: null,
    })
    const url = new URL(account?.proxy?.url ?? '')
    expect([url.origin, decodeURIComponent(url.username), decodeURIComponent(url.password)]).toEqual([
      'http://localhost:3128',
      'gate way',
      'p@ss:word%2F',
    ])
  })

  test('a secret that does not open takes its account out of service and no other, and says why (ACC-8)', async () => {
    const { db, sql } = database
    const id = newId()
    const foreign = createSecretbox('another encryption key')
    await seedAccount(db, { id, sealedCredentials: sealCredentials(foreign, id, { apiKey: 'sk-1' }) })
    const proxy = await seedProxy(null)
    await updateProxyById(db, proxy.id, { sealedCredentials: foreign.seal('{}', `proxy:${proxy.id}`) })
    const directory = await loadDirectory(sql, box)
    expect(byId(directory.accounts, id)).toMatchObject({
      status: 'error',
      credentials: {},
      errorMessage: `cannot open the secret of account:${id}: it was sealed with another key`,
    })
    expect(byId(directory.proxies, proxy.id)).toMatchObject({ status: 'disabled', url: 'http://localhost:3128/' })
    expect(directory.accounts.filter(({ status }) => status === 'active').length).toBeGreaterThan(0)
  })

  test('a rotated key has both hashes until the grace period is over (KEY-10)', async () => {
    const { db, sql } = database
    const key = await seedKey(db)
    const material = { keyHash: 'new hash', keyPrefix: 'tp_', keyLast4: '0000' }
    await rotateApiKeyById(db, key.id, { ...material, graceUntil: new Date(NOON) })
    expect(await loadOne(sql, box, { kind: 'key', id: key.id })).toMatchObject({
      hash: 'new hash',
      previous: { hash: key.keyHash, expiresAtMs: NOON },
    })
  })

  test('loading one thing gives what loading all gives of it, for every kind (KEY-3)', async () => {
    const { db, sql } = database
    const group = await seedGroup(db, { billingType: 'subscription' })
    const user = await seedUser(db)
    granted(await insertSubscription(db, { userId: user.id, groupId: group.id, days: 30 }, new Date(NOON)))
    const all: Directory = await loadDirectory(sql, box)
    for (const entry of all.users) expect(await loadOne(sql, box, { kind: 'user', id: entry.id })).toEqual(entry)
    for (const entry of all.groups) expect(await loadOne(sql, box, { kind: 'group', id: entry.id })).toEqual(entry)
    for (const entry of all.keys) expect(await loadOne(sql, box, { kind: 'key', id: entry.key.id })).toEqual(entry)
    for (const entry of all.accounts) expect(await loadOne(sql, box, { kind: 'account', id: entry.id })).toEqual(entry)
    for (const entry of all.proxies) expect(await loadOne(sql, box, { kind: 'proxy', id: entry.id })).toEqual(entry)
    for (const entry of all.subscriptions)
      expect(await loadOne(sql, box, { kind: 'subscription', id: entry.id })).toEqual(entry)
    expect(all.subscriptions).toMatchObject([{ userId: user.id, daily: { startedAtMs: null, usedNano: 0n } }])
  })

  test('what was deleted is not there, in all and alone (KEY-12)', async () => {
    const { db, sql } = database
    const user = await seedUser(db)
    const key = await seedKey(db)
    await deleteUserById(db, user.id)
    await deleteApiKeyById(db, key.id)
    const directory = await loadDirectory(sql, box)
    expect(byId(directory.users, user.id)).toBeUndefined()
    expect(directory.keys.some((entry) => entry.key.id === key.id)).toBe(false)
    expect(await loadOne(sql, box, { kind: 'user', id: user.id })).toBeNull()
    expect(await loadOne(sql, box, { kind: 'key', id: key.id })).toBeNull()
    expect(await loadOne(sql, box, { kind: 'key', id: 'no id' })).toBeNull()
  })

  test('thousands of keys come in portions and none is missing (KEY-3)', async () => {
    const own = await freshDatabase()
    await own.sql`insert into api_keys (id, name, key_hash, key_prefix, key_last4)
      select gen_random_uuid(), 'key ' || n, 'hash ' || n, 'tp_', '0000' from generate_series(1, 12000) as n`
    const { keys } = await loadDirectory(own.sql, box)
    expect(new Set(keys.map(({ hash }) => hash)).size).toBe(12_000)
    await own.drop()
  })
})
