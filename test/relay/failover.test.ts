import { describe, expect, test } from 'bun:test'
import { makeAccount, makeGroup, makeKey } from '../support/make.ts'
import { CHAT, chatAnswer, createTestRelay, errorAnswer, type Script, sseAnswer } from '../support/relay.ts'
import { until } from '../support/until.ts'

const account = (id: string, over = {}) => makeAccount({ id, credentials: { apiKey: `sk-${id}` }, ...over })
/** Answers by account: `{ a: () => …, b: () => … }`. */
const byAccount =
  (scripts: Record<string, () => ReturnType<Script>>): Script =>
  (_request, secret) =>
    scripts[secret.slice(3)]?.() ?? errorAnswer(500)
const two = (first: () => ReturnType<Script>) =>
  createTestRelay({ accounts: [account('a'), account('b')], script: byAccount({ a: first, b: () => chatAnswer() }) })

describe('a failing account is stepped around without a client noticing', () => {
  test.each([
    ['429 with retry-after', () => errorAnswer(429, { 'retry-after': '20' }), 'rate_limited', 429],
    ['529', () => errorAnswer(529), 'overloaded', 529],
    ['401', () => errorAnswer(401), 'unauthorized', 401],
    ['403', () => errorAnswer(403), 'forbidden', 403],
    ['500', () => errorAnswer(500), 'server_error', 500],
    ['connect refused', () => 'refuse-connection' as const, 'connect_error', null],
    ['an HTML page under a 200', () => new Response('<html>'), 'stream_fault', 200],
    [
      'an error hidden in a 200',
      () => Response.json({ error: { message: 'x', type: 'server_error' } }),
      'server_error',
      200,
    ],
  ])(
    '%s: the next account serves, and the record tells of both tries (ACC-5, ACC-17)',
    async (_name, script, reason, status) => {
      const { call, receipts, inFlight } = await two(script)
      const response = await call('chat_completions', CHAT)
      expect(response.status).toBe(200)
      const [receipt] = receipts
      expect(receipt?.attempts.map(({ accountId, status, reason }) => ({ accountId, status, reason }))).toEqual([
        { accountId: 'a', status, reason },
        { accountId: 'b', status: 200, reason: null },
      ])
      expect(receipt).toMatchObject({ status: 'completed', accountId: 'b', choice: { candidates: 2 } })
      expect([inFlight('a'), inFlight('b')]).toEqual([0, 0])
    },
  )

  test('an error event before the first content fails over; after it, never (REL-11)', async () => {
    const content = 'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
    const error = 'data: {"error":{"message":"busy","type":"server_error","code":null}}\n\n'
    const rest = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    const stream = { ...CHAT, stream: true, stream_options: { include_usage: true } }
    const early = await createTestRelay({
      accounts: [account('a'), account('b')],
      script: byAccount({ a: () => sseAnswer(error), b: () => sseAnswer(content, rest) }),
    })
    expect(await (await early.call('chat_completions', stream)).text()).toBe(content + rest)
    const late = await createTestRelay({
      accounts: [account('a'), account('b')],
      script: byAccount({ a: () => sseAnswer(content, error), b: () => sseAnswer(content, rest) }),
    })
    expect(await (await late.call('chat_completions', stream)).text()).toBe(content + error)
    expect(late.receipts[0]).toMatchObject({ status: 'failed', accountId: 'a' })
  })

  test('a failed try keeps the tokens that it measured; they are not the client’s to pay (BIL-9)', async () => {
    const usage = { prompt_tokens: 11, completion_tokens: 2, total_tokens: 13 }
    const broken = sseAnswer(
      `data: ${JSON.stringify({ id: 'c', choices: [], usage })}\n\n`,
      'data: {"error":{"message":"overloaded","code":503}}\n\n',
    )
    const { call, receipts } = await two(() => broken)
    expect((await call('chat_completions', { ...CHAT, stream: true })).status).toBe(200)
    const [receipt] = receipts
    expect(receipt?.attempts.map((attempt) => attempt.usage?.input ?? null)).toEqual([11, null])
    expect(receipt?.usage).toMatchObject({ input: 10, output: 5 })
  })

  test('a time-out before the first byte moves on (REL-15, ACC-5)', async () => {
    const { call, clock, watchdog, receipts } = await two(() => 'hang')
    const response = call('chat_completions', CHAT)
    while (watchdog.size === 0) await Promise.resolve()
    clock.nowMs += 600_000
    watchdog.sweep()
    expect((await response).status).toBe(200)
    expect(receipts[0]?.attempts[0]).toMatchObject({ accountId: 'a', status: null, reason: 'first_byte_timeout' })
  })

  test('the client’s own fault is passed on as it stands and tried nowhere else (REL-12)', async () => {
    const body = { error: { message: 'your fault', type: 'invalid_request_error', param: 'x', code: 'bad' } }
    const { call, sent, receipts } = await two(() => errorAnswer(400, {}, body))
    const response = await call('chat_completions', CHAT)
    expect([response.status, await response.json()]).toEqual([400, body])
    expect(sent).toHaveLength(1)
    expect(receipts[0]).toMatchObject({ status: 'failed', httpStatus: 400, metering: 'measured' })
  })

  test('a limited account is out until the provider’s second, and back at it (ACC-6)', async () => {
    let limited = true
    const { call, clock, sent } = await two(() => (limited ? errorAnswer(429, { 'retry-after': '20' }) : chatAnswer()))
    const usedAccounts = () => sent.map((request) => request.headers.authorization?.slice(-1))
    await call('chat_completions', CHAT)
    limited = false
    clock.nowMs += 19_999
    await call('chat_completions', { ...CHAT, prompt_cache_key: 's1' })
    clock.nowMs += 1
    await call('chat_completions', { ...CHAT, prompt_cache_key: 's2' })
    expect(usedAccounts()).toEqual(['a', 'b', 'b', 'a'])
  })

  test('accounts whose limit is on the asked model family are told as such (ACC-6, ACC-17)', async () => {
    const script = () => errorAnswer(429, { 'retry-after': '20' })
    const { call, receipts } = await createTestRelay({ accounts: [account('a')], script })
    expect((await call('chat_completions', CHAT)).status).toBe(429)
    expect((await call('chat_completions', CHAT)).status).toBe(503)
    expect(receipts[1]?.choice).toMatchObject({ candidates: 1, passedOver: { model_limited: 1 } })
    expect((await call('chat_completions', { ...CHAT, model: 'gpt-5.4-mini' })).status).toBe(429)
  })

  test('a model’s limit that ends while a request waits for a slot lets it be served (ACC-6, ACC-7)', async () => {
    const accounts = [account('a', { concurrency: 1 }), account('b')]
    const { call, clock, directory, health, queue, receipts } = await createTestRelay({
      accounts,
      script: () => chatAnswer(),
    })
    directory.pool.acquire(directory.pool.get('a')!)
    const told = { untilMs: clock.nowMs + 2000, source: 'retry-after', family: CHAT.model }
    health.noteFailure('b', { cause: 'rate_limited', status: 429, error: null, told })
    const answer = call('chat_completions', CHAT)
    await until(() => queue.size === 1, { what: 'the request to wait' })
    clock.nowMs += 1999
    queue.offer()
    expect(queue.size).toBe(1)
    clock.nowMs += 1
    queue.offer()
    expect((await answer).status).toBe(200)
    expect(receipts[0]?.accountId).toBe('b')
  })

  test('all accounts down: one clear answer, the last error as the table says, every try told (REL-12, ACC-5)', async () => {
    const accounts = ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => account(id))
    const { call, receipts, inFlight } = await createTestRelay({ accounts, script: () => errorAnswer(503) })
    const response = await call('chat_completions', CHAT)
    expect(response.status).toBe(502)
    expect(receipts[0]?.attempts.map((attempt) => attempt.accountId)).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(accounts.map(({ id }) => inFlight(id))).toEqual([0, 0, 0, 0, 0, 0])
  })

  test('no account at all is 503 and names the model (ACC-5)', async () => {
    const { call, receipts } = await createTestRelay({
      accounts: [account('a', { modelMapping: { other: 'other' } })],
      script: () => chatAnswer(),
    })
    const response = await call('chat_completions', CHAT)
    expect(response.status).toBe(503)
    expect(await response.text()).toContain('No available accounts supporting model: gpt-5.4')
    expect(receipts[0]?.choice).toEqual({ candidates: 1, passedOver: { model: 1 }, sticky: 'miss' })
  })

  test('a group without an account that can serve is helped out by its fallback group, one step far (ACC-12)', async () => {
    const groups = [
      makeGroup({ id: 'g', fallbackGroupId: 'h' }),
      makeGroup({ id: 'h', isDefault: false, fallbackGroupId: 'i' }),
      makeGroup({ id: 'i', isDefault: false }),
    ]
    const accounts = [
      account('a', { status: 'disabled' }),
      account('b', { groupIds: ['h'] }),
      account('c', { groupIds: ['i'] }),
    ]
    const { call, directory, receipts } = await createTestRelay({ accounts, groups, script: () => chatAnswer() })
    expect((await call('chat_completions', CHAT)).status).toBe(200)
    // Charged as what it is: a request of the key's own group.
    expect(receipts[0]).toMatchObject({ accountId: 'b', groupId: 'g' })
    directory.pool.put(account('b', { groupIds: ['h'], status: 'disabled' }))
    expect((await call('chat_completions', CHAT)).status).toBe(503)
  })

  test('a session sticks inside the fallback group too, and comes home when its own group serves again (ACC-4, ACC-12)', async () => {
    const groups = [makeGroup({ id: 'g', fallbackGroupId: 'h' }), makeGroup({ id: 'h', isDefault: false })]
    const away = account('a', { status: 'disabled' })
    const accounts = [away, ...['b', 'c', 'd'].map((id) => account(id, { groupIds: ['h'] }))]
    const { call, directory, receipts } = await createTestRelay({ accounts, groups, script: () => chatAnswer() })
    const turn = async (session: string) => {
      await call('chat_completions', { ...CHAT, prompt_cache_key: session })
      return `${receipts.at(-1)?.accountId} ${receipts.at(-1)?.choice?.sticky}`
    }
    const turns = ['s', 't', 's', 's', 't']
    const told: string[] = []
    for (const session of turns) told.push(await turn(session))
    expect(told).toEqual(['b miss', 'c miss', 'b hit', 'b hit', 'c hit'])
    // Both groups' accounts were looked at, and why the first did not serve is told (ACC-17).
    expect(receipts.at(-1)?.choice).toEqual({ candidates: 4, passedOver: { disabled: 1 }, sticky: 'hit' })
    directory.pool.put({ ...away, status: 'active' })
    expect([await turn('s'), await turn('s')]).toEqual(['a miss', 'a hit'])
    directory.pool.put(away)
    // "s" is remembered in both groups: its own account is out, its helper is still warm.
    expect(await turn('s')).toBe('b hit')
  })

  test('the only account is tried again when the error may pass, and only then (ACC-5)', async () => {
    const answers = [errorAnswer(500), errorAnswer(500), chatAnswer()]
    const weak = await createTestRelay({ accounts: [account('a')], script: () => answers.shift() ?? 'hang' })
    expect((await weak.call('chat_completions', CHAT)).status).toBe(200)
    expect(weak.receipts[0]?.attempts).toHaveLength(3)
    const limited = await createTestRelay({ accounts: [account('a')], script: () => errorAnswer(429) })
    expect((await limited.call('chat_completions', CHAT)).status).toBe(429)
    expect(limited.sent).toHaveLength(1)
  })

  test('with custom error codes other statuses are told plainly and leave the account as it is (ACC-9)', async () => {
    const { call, health, sent } = await createTestRelay({
      accounts: [account('a', { customErrorCodes: [429] }), account('b')],
      script: () => errorAnswer(401),
    })
    const response = await call('chat_completions', CHAT)
    expect([response.status, sent.length]).toEqual([500, 1])
    expect(await response.text()).toContain('Upstream gateway error')
    expect(health.describe('a').blocks).toEqual([])
  })
})

describe('slots', () => {
  /** An upstream whose answers the test gives one by one. */
  function manual() {
    const open: ((response: Response) => void)[] = []
    const script: Script = () => new Promise((resolve) => open.push(resolve))
    return { script, open }
  }
  const until = async (isSo: () => boolean) => {
    for (let turn = 0; turn < 1000 && !isSo(); turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(isSo()).toBe(true)
  }

  test('when all are full a request waits, and is woken by the slot that comes free (ACC-7)', async () => {
    const { script, open } = manual()
    const { call, queue } = await createTestRelay({ accounts: [account('a', { concurrency: 1 })], script })
    const first = call('chat_completions', CHAT)
    await until(() => open.length === 1)
    const second = call('chat_completions', CHAT)
    await until(() => queue.size === 1)
    open[0]?.(chatAnswer('one'))
    expect((await first).status).toBe(200)
    await until(() => open.length === 2)
    open[1]?.(chatAnswer('two'))
    expect((await second).status).toBe(200)
    expect(queue.size).toBe(0)
  })

  test('a wait that ends in vain is 429 with retry-after (ACC-7)', async () => {
    const { script, open } = manual()
    const settings = { queueTimeoutMs: 1 }
    const { call, queue } = await createTestRelay({ accounts: [account('a', { concurrency: 1 })], script, settings })
    const first = call('chat_completions', CHAT)
    await until(() => open.length === 1)
    const refused = await call('chat_completions', CHAT)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1'])
    expect(queue.size).toBe(0)
    open[0]?.(chatAnswer())
    expect((await first).status).toBe(200)
  })

  test('a session stays with its account, waits a moment for it, and only then moves (ACC-4)', async () => {
    const { script, open } = manual()
    const settings = { stickyWaitMs: 1 }
    const accounts = [account('a', { concurrency: 1 }), account('b')]
    const { call, sent, receipts } = await createTestRelay({ accounts, script, settings })
    const turn = async (session: string) => {
      const before = open.length
      const response = call('chat_completions', { ...CHAT, prompt_cache_key: session })
      await until(() => open.length > before)
      return { finish: () => open[before]?.(chatAnswer()), response }
    }
    const one = await turn('s')
    one.finish()
    await one.response
    const two = await turn('s')
    const three = await turn('s')
    expect(sent.map((request) => request.headers.authorization?.slice(-1))).toEqual(['a', 'a', 'b'])
    two.finish()
    three.finish()
    await Promise.all([two.response, three.response])
    const four = await turn('s')
    four.finish()
    await four.response
    // Served elsewhere for a passing reason: the binding was not overwritten.
    expect(sent.at(-1)?.headers.authorization?.slice(-1)).toBe('a')
    expect(receipts.map((receipt) => receipt.choice?.sticky)).toEqual(['miss', 'hit', 'moved', 'hit'])
  })

  test('a session moves for good when its account is out for long, as a whole or for its model; not for a moment (ACC-4, ACC-6)', async () => {
    for (const [seconds, expected] of [
      [3600, ['a', 'b', 'b', 'b']],
      [200, ['a', 'b', 'c', 'a']],
    ] as const) {
      // OpenAI's limits are on the asked model only.
      let limited = false
      const { call, clock, receipts } = await createTestRelay({
        accounts: [account('a'), account('b'), account('c')],
        script: byAccount({
          a: () => (limited ? errorAnswer(429, { 'retry-after': String(seconds) }) : chatAnswer()),
          b: () => chatAnswer(),
          c: () => chatAnswer(),
        }),
      })
      const turn = async () => {
        await call('chat_completions', { ...CHAT, prompt_cache_key: 's' })
        return receipts.at(-1)?.accountId
      }
      const served = [await turn()]
      limited = true
      served.push(await turn(), await turn())
      limited = false
      clock.nowMs += 250_000
      served.push(await turn())
      expect(served).toEqual([...expected])
    }
  })

  test('sessions of different keys never share a binding (ACC-4)', async () => {
    const { call, sent } = await createTestRelay({
      accounts: [account('a'), account('b')],
      keys: [makeKey(), makeKey({ id: 'key-2' })],
      script: () => chatAnswer(),
    })
    const body = { ...CHAT, prompt_cache_key: 'same' }
    await call('chat_completions', body)
    await call('chat_completions', body, { key: 'key-2' })
    expect(sent.map((request) => request.headers.authorization?.slice(-1))).toEqual(['a', 'b'])
  })

  test('a key bound to an account uses only that one (KEY-5)', async () => {
    const { call, sent } = await createTestRelay({
      accounts: [account('a'), account('b')],
      keys: [makeKey({ boundAccounts: { openai: 'b' } })],
      script: byAccount({ b: () => errorAnswer(500), a: () => chatAnswer() }),
    })
    expect((await call('chat_completions', CHAT)).status).toBe(502)
    expect(new Set(sent.map((request) => request.headers.authorization))).toEqual(new Set(['Bearer sk-b']))
  })
})
