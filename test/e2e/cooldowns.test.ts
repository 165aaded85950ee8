/**
 * A pool that looks after itself, told by its own records (ACC-5, ACC-6, ACC-17): each way in which a provider says "not now", how long the account
 * is out for it, and what `GET /admin/requests/{id}` says about the accounts that were tried and those that were passed over.
 */
import { afterAll, describe, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { ANTHROPIC, CHAT, type Dialect, GEMINI, RESPONSES, streamOf } from '../support/dialects.ts'
import { startGateway } from '../support/gateway.ts'
import { type AccountFields, useGateway } from '../support/scene.ts'
import { answer, beginStream, type HeaderFields, type Reply, startUpstream } from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

const { gateway, scene, record } = useGateway()

interface ShownAccount {
  status: string
  error_message: string | null
  extra: { blocks?: { cause: string; source: string; model_family: string | null; until: string | null }[] }
}
const shown = (id = '') => gateway().admin<ShownAccount>('GET', `/admin/accounts/${id}`)
/** What the relay learns is written a moment later. */
const blockOf = (id = '') =>
  until(async () => (await shown(id)).extra.blocks?.[0] ?? false, { what: `a block of account ${id}` })

interface Told {
  account_id: string
  status: number | null
  reason: string | null
}
const inShort = (attempts: Told[]): [string | undefined, number | null, string | null][] =>
  attempts.map(({ account_id, status, reason }) => [account_id, status, reason])

/** Two accounts: the first plays `first` until told otherwise, the second serves. */
async function two(dialect: Dialect, first: (reply: Reply) => unknown, account: AccountFields = {}) {
  const state = { first }
  const opened = await scene({
    platform: dialect.platform,
    accounts: [
      { path: '/first', priority: 1, ...account },
      { path: '/second', priority: 2 },
    ],
    script: (request, reply) =>
      request.target.startsWith('/first/') ? void state.first(reply) : answer(reply, 200, dialect.body),
  })
  const [one = '', other = ''] = opened.accounts
  const send = () => opened.send(dialect.wholePath, dialect.wholeRequest)
  return { ...opened, one, other, send }
}

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000)
const epochSeconds = (seconds: number) => String(Math.floor(inSeconds(seconds).getTime() / 1000))
const UNIFIED = 'anthropic-ratelimit-unified'
const CODEX: AccountFields = { type: 'oauth', credentials: { access_token: 'of-the-first' } }
const codexLimit = (fields: object) => JSON.stringify({ error: { type: 'usage_limit_reached', ...fields } })
const retryInfo = (retryDelay: string) =>
  JSON.stringify({
    error: {
      code: 429,
      status: 'RESOURCE_EXHAUSTED',
      details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay }],
    },
  })

interface Limit {
  name: string
  dialect: Dialect
  headers?: () => HeaderFields
  body?: () => string
  account?: AccountFields
  seconds: number
  /** Where it is told twice: either. */
  source: string | string[]
  /** The limit is on the asked model only. */
  ofModel?: boolean
}

const LIMITS: Limit[] = [
  {
    name: 'retry-after in seconds',
    dialect: CHAT,
    headers: () => ({ 'retry-after': '37' }),
    seconds: 37,
    source: 'retry-after',
    ofModel: true,
  },
  {
    name: 'retry-after as a date',
    dialect: CHAT,
    headers: () => ({ 'retry-after': inSeconds(90).toUTCString() }),
    seconds: 90,
    source: 'retry-after',
    ofModel: true,
  },
  {
    name: 'x-ratelimit-reset of the window that is used up',
    dialect: RESPONSES,
    headers: () => ({
      'x-ratelimit-remaining-requests': '4999',
      'x-ratelimit-reset-requests': '12ms',
      'x-ratelimit-remaining-tokens': '0',
      'x-ratelimit-reset-tokens': '6m0s',
    }),
    seconds: 360,
    source: 'x-ratelimit-reset',
    ofModel: true,
  },
  {
    name: 'anthropic-ratelimit-tokens-reset, a date',
    dialect: ANTHROPIC,
    headers: () => ({
      'anthropic-ratelimit-tokens-remaining': '0',
      'anthropic-ratelimit-tokens-reset': inSeconds(120).toISOString(),
      'anthropic-ratelimit-requests-remaining': '10',
      'anthropic-ratelimit-requests-reset': inSeconds(3600).toISOString(),
    }),
    seconds: 120,
    source: 'anthropic-ratelimit-reset',
  },
  {
    name: 'anthropic-ratelimit-unified-reset, epoch seconds',
    dialect: ANTHROPIC,
    headers: () => ({
      [`${UNIFIED}-status`]: 'rejected',
      [`${UNIFIED}-reset`]: epochSeconds(7200),
      'retry-after': '5',
    }),
    seconds: 7200,
    source: `${UNIFIED}-reset`,
  },
  {
    name: 'x-codex-primary-reset-after-seconds of a window at 100 %',
    dialect: RESPONSES,
    account: CODEX,
    headers: () => ({
      'x-codex-primary-used-percent': '100',
      'x-codex-primary-window-minutes': '300',
      'x-codex-primary-reset-after-seconds': '1800',
      'x-codex-secondary-used-percent': '40',
      'x-codex-secondary-window-minutes': '10080',
      'x-codex-secondary-reset-after-seconds': '300000',
    }),
    seconds: 1800,
    source: ['usage window at 100 %', 'x-codex-reset'],
  },
  {
    name: 'resets_in_seconds in Codex’s body',
    dialect: RESPONSES,
    account: CODEX,
    body: () => codexLimit({ resets_in_seconds: 500 }),
    seconds: 500,
    source: 'resets_at',
  },
  {
    name: 'resets_at in Codex’s body',
    dialect: RESPONSES,
    account: CODEX,
    body: () => codexLimit({ resets_at: Number(epochSeconds(900)) }),
    seconds: 900,
    source: 'resets_at',
  },
  {
    name: 'Gemini’s RetryInfo',
    dialect: GEMINI,
    body: () => retryInfo('34.5s'),
    seconds: 34.5,
    source: 'RetryInfo.retryDelay',
  },
  { name: 'nothing: 5 s to begin with', dialect: ANTHROPIC, seconds: 5, source: 'backoff' },
]

describe('a 429', () => {
  test.each(LIMITS.map((limit) => [limit.name, limit] as const))(
    'that says %s keeps its account out until then, and the records tell it (ACC-6, ACC-17)',
    async (_, limit) => {
      const { dialect, headers = () => ({}), body = () => '{}', account } = limit
      const { one, other, send, upstream } = await two(
        dialect,
        (reply) => answer(reply, 429, body(), headers()),
        account,
      )
      const before = Date.now()
      const served = await send()
      expect([served.status, await served.text()]).toEqual([200, dialect.body])
      const told = await record(served)
      expect(inShort(told.attempts)).toEqual([
        [one, 429, 'rate_limited'],
        [other, 200, null],
      ])
      const block = await blockOf(one)
      expect(block.cause).toBe('rate_limited')
      expect([limit.source].flat()).toContain(block.source)
      expect(block.model_family).toBe(limit.ofModel ? told.model : null)
      const seconds = (Date.parse(block.until ?? '') - before) / 1000
      // HTTP dates and epoch seconds have no fractions.
      expect(seconds).toBeGreaterThan(limit.seconds - 1.5)
      expect(seconds).toBeLessThan(limit.seconds + 10)
      const next = await record(await send())
      expect(inShort(next.attempts)).toEqual([[other, 200, null]])
      expect(next.choice).toMatchObject({
        candidates: 2,
        passed_over: { [limit.ofModel ? 'model_limited' : 'rate_limited']: 1 },
      })
      expect(upstream.requests).toHaveLength(3)
    },
  )
})

/** Under a 200, before anything of an answer. */
const hiddenError = (reply: Reply) => {
  beginStream(reply)
  void reply.write('data: {"error":{"message":"busy","type":"server_error"}}\n\n')
  reply.end()
}

describe('an account that fails', () => {
  test('with 529 is out for a minute, and told as overloaded (ACC-6)', async () => {
    const { one, other, send } = await two(ANTHROPIC, (reply) => answer(reply, 529, '{}'))
    expect(inShort((await record(await send())).attempts)).toEqual([
      [one, 529, 'overloaded'],
      [other, 200, null],
    ])
    const block = await blockOf(one)
    expect(block.cause).toBe('overloaded')
    expect(Math.round((Date.parse(block.until ?? '') - Date.now()) / 1000)).toBeOneOf([56, 57, 58, 59, 60])
    expect((await record(await send())).choice).toMatchObject({ candidates: 2, passed_over: { overloaded: 1 } })
  })

  test('with 401 and has no token to refresh is an error at once; other credentials end it (ACC-6, ACC-10)', async () => {
    const { one, other, send } = await two(CHAT, (reply) => answer(reply, 401, '{"error":{"message":"bad key"}}'))
    expect(inShort((await record(await send())).attempts)).toEqual([
      [one, 401, 'unauthorized'],
      [other, 200, null],
    ])
    const account = await until(async () => ((await shown(one)).status === 'error' ? shown(one) : false), {
      what: 'the error',
    })
    expect(account.error_message).toBe('Authentication failed: bad key')
    expect((await record(await send())).choice).toMatchObject({ candidates: 2, passed_over: { error: 1 } })
    await gateway().admin('PATCH', `/admin/accounts/${one}`, { credentials: { api_key: 'sk-another' } })
    expect((await shown(one)).status).toBe('active')
    // It is asked again, at once: the old error is forgotten here too.
    expect((await record(await send())).attempts[0]).toMatchObject({ account_id: one, status: 401 })
  })

  test('with 403 three times in a row is an error, not before (ACC-6)', async () => {
    const waiting: Reply[] = []
    const { one, send } = await two(CHAT, (reply) => {
      waiting.push(reply)
    })
    const three = [send(), send(), send()]
    await until(() => waiting.length === 3, { what: 'three requests at the first account' })
    answer(waiting[0] as Reply, 403, '{}')
    expect((await blockOf(one)).cause).toBe('cooling_down')
    expect((await shown(one)).status).toBe('active')
    for (const reply of waiting.slice(1)) answer(reply, 403, '{"error":{"message":"not yours"}}')
    for (const response of await Promise.all(three)) {
      const { attempts } = await record(response)
      expect(attempts.map(({ status, reason }) => [status, reason])).toEqual([
        [403, 'forbidden'],
        [200, null],
      ])
    }
    const error = await until(async () => (await shown(one)).error_message ?? false, { what: 'the error' })
    expect(error).toBe('Access forbidden 3 times in a row: not yours')
  })

  test('by refusing the connection is stepped around, without a status (ACC-5)', async () => {
    const gone = await startUpstream()
    await gone.stop()
    const { one, other, send } = await two(CHAT, () => undefined, { credentials: { base_url: gone.url } })
    expect(inShort((await record(await send())).attempts)).toEqual([
      [one, null, 'connect_error'],
      [other, 200, null],
    ])
    // Suspect now: with another of its priority it would go second. Of a higher priority it is still asked first.
    expect((await record(await send())).attempts[0]).toMatchObject({ account_id: one })
  })

  test('by silence before the first byte is given up, and the next one serves (ACC-5, REL-15)', async () => {
    const { one, other, send } = await two(CHAT, () => undefined, { first_byte_timeout: 1 })
    const { attempts } = await record(await send())
    expect(inShort(attempts)).toEqual([
      [one, null, 'first_byte_timeout'],
      [other, 200, null],
    ])
    const [first] = attempts as unknown as { duration_ms: number }[]
    expect(first?.duration_ms).toBeGreaterThanOrEqual(900)
  })

  test('by an error hidden in a 200 stream is stepped around unseen, and the record says so (REL-11, ACC-17)', async () => {
    const { accounts, send } = await scene({
      accounts: [
        { path: '/first', priority: 1 },
        { path: '/second', priority: 2 },
      ],
      script(request, reply) {
        if (request.target.startsWith('/first/')) return hiddenError(reply)
        beginStream(reply)
        void reply.write(streamOf(CHAT).join(''))
        reply.end()
      },
    })
    const response = await send(CHAT.path, CHAT.request)
    expect(await response.text()).toContain('[DONE]')
    expect(inShort((await record(response)).attempts)).toEqual([
      [accounts[0], 200, 'server_error'],
      [accounts[1], 200, null],
    ])
  })
})

describe('when nobody is left', () => {
  test('all accounts down: each was asked once, and the record tells all of it (ACC-5, ACC-17)', async () => {
    const { accounts, send, upstream } = await scene({
      accounts: [503, 529, 429].map((status) => ({ path: `/${status}` })),
      script: (request, reply) => answer(reply, Number(request.target.split('/')[1]), '{}'),
    })
    const response = await send(CHAT.wholePath, CHAT.wholeRequest)
    expect(response.status).toBeOneOf([429, 502, 503])
    const told = await record(response)
    expect(told.attempts.map(({ account_id }) => account_id).sort()).toEqual([...accounts].sort())
    expect(told.attempts.map(({ reason }) => reason).sort()).toEqual(['overloaded', 'rate_limited', 'server_error'])
    expect(upstream.requests).toHaveLength(3)
  })

  test('the only account: tried again for what may pass, and not for what does not (ACC-5)', async () => {
    const statuses: number[] = []
    const { accounts, send } = await scene({
      script: (_, reply) => answer(reply, statuses.shift() ?? 200, CHAT.body),
    })
    statuses.push(500, 503)
    const mended = await record(await send(CHAT.wholePath, CHAT.wholeRequest))
    expect(inShort(mended.attempts)).toEqual([
      [accounts[0], 500, 'server_error'],
      [accounts[0], 503, 'server_error'],
      [accounts[0], 200, null],
    ])
    statuses.push(429)
    const limited = await record(await send(CHAT.wholePath, CHAT.wholeRequest))
    expect(inShort(limited.attempts)).toEqual([[accounts[0], 429, 'rate_limited']])
  })
})

describe('after a restart', () => {
  const cleanUps: (() => unknown)[] = []
  afterAll(async () => {
    for (const cleanUp of cleanUps) await cleanUp()
  })

  test('limits of accounts and of single model families still hold (ACC-6)', async () => {
    const upstream = await startUpstream((request, reply) =>
      answer(reply, request.target.startsWith('/good/') ? 200 : 429, CHAT.body, { 'retry-after': '3000' }),
    )
    cleanUps.push(() => upstream.stop())
    const first = await startGateway({ FLUSH_INTERVAL_MS: '20' })
    cleanUps.push(() => rmSync(first.folder, { recursive: true, force: true }))
    const make = (name: string, priority: number) =>
      first.admin<{ id: string }>('POST', '/admin/accounts', {
        name,
        priority,
        platform: 'openai',
        type: 'api_key',
        credentials: { api_key: `sk-of-${name}`, base_url: `${upstream.url}/${name}` },
      })
    const limited = await make('limited', 1)
    await make('good', 2)
    const { api_key: key } = await first.admin<{ api_key: string }>('POST', '/admin/keys', { name: 'k' })
    const ask = (url: string, model = 'gpt-5-mini') =>
      fetch(url + CHAT.wholePath, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }] }),
      })
    const asked = () => upstream.requests.map(({ target }) => target.split('/')[1])
    expect((await ask(first.url)).status).toBe(200)
    const isStored = async () => {
      const { extra } = await first.admin<ShownAccount>('GET', `/admin/accounts/${limited.id}`)
      return extra.blocks?.[0]?.model_family === 'gpt-5-mini'
    }
    await until(isStored, { what: 'the block in the database' })
    await first.stop()
    const second = await startGateway({ FLUSH_INTERVAL_MS: '20' }, first.folder)
    cleanUps.push(() => second.stop())
    expect((await ask(second.url)).status).toBe(200)
    // The other model was never limited.
    expect((await ask(second.url, 'gpt-5-nano')).status).toBe(200)
    expect(asked()).toEqual(['limited', 'good', 'good', 'limited', 'good'])
  }, 120_000)
})
