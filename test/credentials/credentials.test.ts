/** Tokens over a real database and a token endpoint: two instances are two `createCredentials` over one database (ACC-10). */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import type { Account, AccountCredentials } from '../../src/core/entities.ts'
import { type Credentials, createCredentials } from '../../src/credentials/credentials.ts'
import { createTokenEndpoint } from '../../src/credentials/token-endpoint.ts'
import { openCredentials, sealCredentials } from '../../src/db/account-credentials.ts'
import { withAccountLocked } from '../../src/db/account-lock.ts'
import { findAccountById, updateAccountStateById } from '../../src/db/accounts.ts'
import { loadOne } from '../../src/db/directory.ts'
import { newId } from '../../src/lib/ids.ts'
import { silentLog } from '../../src/lib/log.ts'
import { createSecretbox } from '../../src/lib/secretbox.ts'
import { createOauthTable } from '../../src/providers/oauth/table.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { makeAccount } from '../support/make.ts'
import { seedAccount } from '../support/seed.ts'
import { startTokenServer, type TokenServer } from '../support/token-server.ts'
import { until } from '../support/until.ts'

const NOW = Date.UTC(2026, 7, 1)
const box = createSecretbox('key of the test')
let database: FreshDatabase
let tokens: TokenServer
let time: { nowMs: number }
beforeAll(async () => {
  database = await freshDatabase()
})
beforeEach(() => {
  tokens?.stop()
  tokens = startTokenServer()
  time = { nowMs: NOW }
})
afterAll(async () => {
  await tokens.stop()
  await database.drop()
})

interface InstanceOptions {
  /** Stands between the platform's answer and the commit. */
  onSave?: () => void
}

function instance({ onSave = () => {} }: InstanceOptions = {}): Credentials {
  const none = { authorizeUrl: null, clientId: null, clientSecret: null, redirectUri: null, scopes: null }
  return createCredentials({
    store: {
      locked: (id, work) =>
        withAccountLocked({ db: database.db, box }, id, (row) =>
          work({
            ...row,
            async save(next) {
              onSave()
              return row.save(next)
            },
          }),
        ),
    },
    oauth: createOauthTable({ openai: { ...none, tokenUrl: tokens.url } }),
    requestTokens: createTokenEndpoint(),
    nowMs: () => time.nowMs,
    onStored: () => {},
    log: silentLog,
  })
}

const EXPIRED: AccountCredentials = { accessToken: 'access-0', refreshToken: 'refresh-0', expiresAtMs: NOW - 1 }

async function oauthAccount(credentials: AccountCredentials = EXPIRED): Promise<Account> {
  const id = newId()
  const sealedCredentials = sealCredentials(box, id, credentials)
  await seedAccount(database.db, { id, type: 'oauth', sealedCredentials } as Parameters<typeof seedAccount>[1])
  return load(id)
}

async function load(id: string): Promise<Account> {
  return (await loadOne(database.sql, box, { kind: 'account', id })) as Account
}

async function stored(id: string) {
  const row = (await findAccountById(database.db, id))!
  return { ...openCredentials(box, id, row.sealedCredentials), status: row.status, errorMessage: row.errorMessage }
}

const refusal = (error: string, status = 400) => Response.json({ error, error_description: 'said so' }, { status })

describe('credentials', () => {
  test('a secret that is at hand is given without waiting: an API key, a fresh token (ACC-10)', () => {
    const { secretOf } = instance()
    expect(secretOf(makeAccount({ id: 'a' }))).toBe('sk-upstream')
    const fresh = makeAccount({ id: 'b', type: 'oauth', credentials: { ...EXPIRED, expiresAtMs: NOW + 60_000 } })
    expect(secretOf(fresh)).toBe('access-0')
    expect(secretOf({ ...fresh, credentials: { accessToken: 'pasted', expiresAtMs: null } })).toBe('pasted')
    expect(tokens.asks).toEqual([])
  })

  test('100 requests on two instances meet an expired token: the platform is asked once (ACC-10)', async () => {
    const account = await oauthAccount()
    const [one, two] = [instance(), instance()]
    // The platform answers only when the other instance stands at the lock, or, if there were none, has asked too.
    const othersAtTheLock = async () => {
      const [row] = await database.sql`select count(*)::int as found from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`
      return row?.found > 0 || tokens.asks.length > 1
    }
    tokens.answer = async () => {
      await until(othersAtTheLock, { what: 'the other instance at the lock' })
      return undefined
    }
    const secrets = await Promise.all(
      Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? one : two).secretOf(account)),
    )
    expect(new Set(secrets)).toEqual(new Set(['access-1']))
    expect(tokens.asks.map(({ fields }) => fields.refresh_token)).toEqual(['refresh-0'])
    expect(await stored(account.id)).toMatchObject({ accessToken: 'access-1', refreshToken: 'refresh-1' })
  })

  test('the rotated token is committed before the new one is given out: a process killed right after loses nothing (ACC-10)', async () => {
    const account = await oauthAccount()
    const killed = instance()
    const secret = await killed.secretOf(account)
    const seenByOthers = (await stored(account.id)).refreshToken
    expect([secret, seenByOthers]).toEqual(['access-1', 'refresh-1'])
    // Its successor has the account as it was stored, or even as it was before: neither asks the platform again.
    expect(await instance().secretOf(await load(account.id))).toBe('access-1')
    expect(await instance().secretOf(account)).toBe('access-1')
    expect(tokens.asks).toHaveLength(1)
  })

  test('tokens that the database did not take are neither used nor lost: they are stored first the next time (ACC-10)', async () => {
    const account = await oauthAccount()
    let broken = true
    const credentials = instance({
      onSave() {
        if (broken) throw new Error('connection lost')
      },
    })
    expect(await credentials.secretOf(account)).toBeNull()
    expect(await stored(account.id)).toMatchObject({ refreshToken: 'refresh-0', status: 'active' })
    broken = false
    time.nowMs += 5000
    expect(await credentials.secretOf(account)).toBe('access-1')
    expect(tokens.asks).toHaveLength(1)
    expect(await stored(account.id)).toMatchObject({ refreshToken: 'refresh-1' })
  })

  test('a platform that gives no new refresh token leaves the old one in place (ACC-10)', async () => {
    const account = await oauthAccount({ ...EXPIRED, chatgptAccountId: 'acc-1', baseUrl: 'http://localhost:1' })
    tokens.answer = () => Response.json({ access_token: 'access-9', expires_in: 60 })
    expect(await instance().secretOf(account)).toBe('access-9')
    expect(await stored(account.id)).toMatchObject({
      refreshToken: 'refresh-0',
      chatgptAccountId: 'acc-1',
      baseUrl: 'http://localhost:1',
      expiresAtMs: NOW + 60_000,
    })
  })

  test('invalid_grant is the end of the account, with the reason; the platform is not asked on and on (ACC-10)', async () => {
    const account = await oauthAccount()
    tokens.answer = () => refusal('invalid_grant')
    const credentials = instance()
    expect(await credentials.secretOf(account)).toBeNull()
    expect(await stored(account.id)).toMatchObject({ status: 'error', errorMessage: 'invalid_grant: said so' })
    expect(credentials.troubleOf(account)).toEqual({ message: 'invalid_grant: said so', untilMs: null })
    expect(await credentials.secretOf(account)).toBeNull()
    expect(tokens.asks).toHaveLength(1)
  })

  test('an account that an operator disabled stays disabled at invalid_grant (ACC-10)', async () => {
    const account = await oauthAccount()
    await updateAccountStateById(database.db, account.id, { status: 'disabled' })
    tokens.answer = () => refusal('invalid_grant')
    await instance().refreshNow(account)
    expect((await stored(account.id)).status).toBe('disabled')
  })

  test('invalid_grant because another instance had rotated behind a lost lock: what it stored is used (ACC-10)', async () => {
    const account = await oauthAccount()
    const credentials = instance()
    tokens.answer = async (ask) => {
      tokens.answer = undefined
      // This instance's connection dies while the platform thinks, and with it its lock …
      await database.sql`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and state = 'idle in transaction'`
      // … another one takes the lock and rotates …
      expect(await instance().secretOf(account)).toBe('access-1')
      // … so that the first one's refresh token has been used already.
      expect(ask.fields.refresh_token).toBe('refresh-0')
      return refusal('invalid_grant')
    }
    expect(await credentials.secretOf(account)).toBe('access-1')
    expect(await stored(account.id)).toMatchObject({ status: 'active', refreshToken: 'refresh-1' })
  })

  test('a failure that may pass is tried again after a growing wait; pasting another token ends the wait (ACC-10)', async () => {
    const account = await oauthAccount()
    tokens.answer = () => refusal('temporarily_unavailable', 503)
    const credentials = instance()
    for (const [waitMs, asks] of [
      [0, 1],
      [4999, 1],
      [1, 2],
      [9999, 2],
      [1, 3],
    ] as const) {
      time.nowMs += waitMs
      expect(await credentials.secretOf(account)).toBeNull()
      expect([waitMs, tokens.asks.length]).toEqual([waitMs, asks])
    }
    expect(credentials.troubleOf(account)).toEqual({
      message: 'temporarily_unavailable: said so',
      untilMs: time.nowMs + 20_000,
    })
    expect((await stored(account.id)).status).toBe('active')
    const pasted = { ...account, credentials: { ...account.credentials, refreshToken: 'pasted' } }
    expect(credentials.troubleOf(pasted)).toBeNull()
  })

  test('the background refreshes five minutes ahead, also what cools down or is paused, and nothing else (ACC-10)', async () => {
    const soon = { ...EXPIRED, expiresAtMs: NOW + 299_000 }
    const due = await oauthAccount(soon)
    const cooling = { ...(await oauthAccount(soon)), rateLimitedUntilMs: NOW + 86_400_000, schedulable: false }
    const later = await oauthAccount({ ...EXPIRED, expiresAtMs: NOW + 301_000 })
    const pasted = await oauthAccount({ accessToken: 'x', expiresAtMs: NOW - 1 })
    const unknown = await oauthAccount({ ...EXPIRED, expiresAtMs: null })
    const dead = { ...(await oauthAccount(soon)), status: 'error' as const }
    const result = await instance().refreshDue([due, cooling, later, pasted, unknown, dead, makeAccount({ id: 'key' })])
    expect(result).toEqual({ refreshed: 2, failed: 0 })
    expect(tokens.asks).toHaveLength(2)
    expect((await stored(cooling.id)).refreshToken).not.toBe('refresh-0')
  })

  test('a token that was turned down is replaced whatever its expiry says, by the stored one if that is another (ACC-6)', async () => {
    const account = await oauthAccount({ ...EXPIRED, expiresAtMs: NOW + 3_600_000 })
    const [one, two] = [instance(), instance()]
    expect(await one.refreshAfter401(account, 'access-0')).toBe('access-1')
    expect(await two.refreshAfter401(account, 'access-0')).toBe('access-1')
    expect(tokens.asks).toHaveLength(1)
    expect(await one.refreshAfter401(makeAccount({ id: 'key' }), 'sk-upstream')).toBeNull()
    const pasted = makeAccount({ id: 'pasted', type: 'oauth', credentials: { accessToken: 'x' } })
    expect(await one.refreshAfter401(pasted, 'x')).toBeNull()
  })

  test('an expired token without a refresh token is told as what it is (ACC-10)', () => {
    const account = makeAccount({ id: 'a', type: 'oauth', credentials: { accessToken: 'x', expiresAtMs: NOW - 1 } })
    const credentials = instance()
    expect(credentials.secretOf(account)).toBeNull()
    expect(credentials.troubleOf(account)).toEqual({
      message: 'the access token has expired and there is no refresh token',
      untilMs: null,
    })
  })

  test('a platform without a configured client is not asked, and the variable is named (ACC-10)', async () => {
    const account = { ...(await oauthAccount()), platform: 'anthropic' as const }
    expect(await instance().refreshNow(account)).toMatchObject({
      kind: 'failed',
      message: 'OAUTH_ANTHROPIC_CLIENT_ID is not set',
    })
  })

  test('refresh goes through the account’s proxy, and never around a disabled one (REL-5)', async () => {
    const seen: string[] = []
    const proxy = Bun.serve({
      port: 0,
      hostname: 'localhost',
      fetch(request) {
        seen.push(request.url)
        return Response.json({ access_token: 'by-proxy', refresh_token: 'r', expires_in: 60 })
      },
    })
    try {
      const url = `http://localhost:${proxy.port}`
      const through = { ...(await oauthAccount()), proxy: { id: 'p', name: 'p', url, status: 'active' as const } }
      expect(await instance().secretOf(through)).toBe('by-proxy')
      expect(seen).toEqual([tokens.url])
      const off = { ...(await oauthAccount()), proxy: { ...through.proxy, status: 'disabled' as const } }
      expect(await instance().secretOf(off)).toBeNull()
      expect([seen.length, tokens.asks.length]).toEqual([1, 0])
    } finally {
      await proxy.stop(true)
    }
  })

  test('the token endpoint hears no name but turnpike’s, and a redirect is not followed with the token (OPS-10)', async () => {
    const account = await oauthAccount()
    tokens.answer = () => new Response(null, { status: 307, headers: { location: `${tokens.url}/elsewhere` } })
    expect(await instance().secretOf(account)).toBeNull()
    expect(tokens.asks.map(({ userAgent }) => userAgent)).toEqual(['turnpike'])
  })
})
