/** Admission and settlement as the request path uses them: limits of a key, money of its payer, denials in words. */
import { afterAll, describe, expect, test } from 'bun:test'
import { type Denial, isDenial } from '../../src/core/denial.ts'
import type { ApiKey } from '../../src/core/entities.ts'
import type { Payer } from '../../src/core/quota.ts'
import { createCounterNews } from '../../src/state/counter-news.ts'
import type { Counters } from '../../src/state/counters.ts'
import { type Admission, createLimiter, type Limiter, type Spend } from '../../src/state/limiter.ts'
import { createMemoryCounters } from '../../src/state/memory-counters.ts'
import { createRedisCounters } from '../../src/state/redis-counters.ts'
import type { Totals, TotalsQuery } from '../../src/state/totals.ts'
import { DAY_MS, manualClock, RUN, START_MS } from '../support/counters.ts'
import { makeKey, makeUser } from '../support/make.ts'
import { connectRedis, startRedis } from '../support/redis.ts'

const USD = 1_000_000_000n
const NOBODY: Payer = { kind: 'none' }
const spend = (over: Partial<Spend> = {}): Spend => ({ tokens: 0, costNano: 0n, chargeNano: 0n, ...over })

const server = await startRedis()
const clients = server ? await Promise.all([1, 2, 3].map(() => connectRedis(server.url))) : []
afterAll(async () => {
  for (const client of clients) client.disconnect()
  await server?.stop()
})

/** A database that knows what the test says, and what was asked. */
function createDatabase(over: Partial<Totals> = {}) {
  const queries: TotalsQuery[] = []
  const database = {
    isAway: false,
    totals: { recordedIds: [], key: null, fundsNano: 0n, subscription: null, ...over } as Totals,
  }
  const loadTotals = async (query: TotalsQuery) => {
    queries.push(query)
    if (database.isAway) throw new Error('database away')
    return database.totals
  }
  return { database, queries, loadTotals }
}

function setUp(over: Partial<Totals> = {}, counters?: Counters) {
  const clock = manualClock()
  const kept = counters ?? createMemoryCounters({ nowMs: clock.nowMs })
  const { database, queries, loadTotals } = createDatabase(over)
  const failures: unknown[] = []
  const limiter = createLimiter({
    counters: kept,
    loadTotals,
    nowMs: clock.nowMs,
    timeZone: 'UTC',
    onLoadFailure: (error) => failures.push(error),
  })
  return { clock, counters: kept, database, queries, failures, limiter }
}

let requests = 0
function admit(
  limiter: Limiter,
  key: ApiKey,
  { payer = NOBODY, estimate = spend() }: { payer?: Payer; estimate?: Spend } = {},
) {
  const requestId = `request-${requests++}`
  return limiter.admit({ requestId, key, payer, subscriptionLimits: GROUP, estimate: () => estimate })
}
const GROUP = { dailyLimitNano: 10n * USD, weeklyLimitNano: null, monthlyLimitNano: 100n * USD }

async function admitted(...args: Parameters<typeof admit>): Promise<Admission> {
  const answer = await admit(...args)
  if (isDenial(answer)) throw new Error(answer.code)
  return answer as Admission
}

async function denied(...args: Parameters<typeof admit>): Promise<Denial> {
  const answer = await admit(...args)
  if (!isDenial(answer)) throw new Error('admitted')
  return answer
}

const NO_TOTALS = { tokens: 0, costNano: 0n, dayCostNano: 0n, weekCostNano: 0n }

describe('the limiter', () => {
  test('each limit refuses with a code of its own, a sentence and a time to come back (KEY-4)', async () => {
    const cases: [Partial<ApiKey>, Spend, string, number | undefined, string][] = [
      [{ concurrencyLimit: 1 }, spend(), 'concurrency_limit_exceeded', 1, 'limit of requests at a time'],
      [{ rpm: 1 }, spend(), 'rate_limit_exceeded', 60, 'requests per minute of this API key is reached (1)'],
      [{ tpm: 100 }, spend({ tokens: 100 }), 'token_rate_limit_exceeded', 60, 'tokens per minute'],
      [
        { rateLimitWindowMinutes: 5, rateLimitRequests: 1 },
        spend(),
        'rate_limit_exceeded',
        300,
        'Try again in 300 seconds.',
      ],
      [
        { rateLimitWindowMinutes: 5, rateLimitTokens: 9 },
        spend({ tokens: 9 }),
        'token_rate_limit_exceeded',
        300,
        '(9)',
      ],
      [
        { rateLimitWindowMinutes: 5, rateLimitCostNano: USD },
        spend({ costNano: USD }),
        'cost_rate_limit_exceeded',
        300,
        '(1 USD)',
      ],
      [
        { dailyCostLimitNano: USD },
        spend({ costNano: USD }),
        'daily_cost_limit_exceeded',
        12 * 3600,
        'daily cost limit',
      ],
      // 24 July 2026 is a Friday; the week ends on Sunday at midnight.
      [
        { weeklyCostLimitNano: USD },
        spend({ costNano: USD }),
        'weekly_cost_limit_exceeded',
        60 * 3600,
        'weekly cost limit',
      ],
      [{ totalCostLimitNano: USD / 2n }, spend({ costNano: USD }), 'total_cost_limit_exceeded', undefined, '(0.5 USD)'],
      [
        { tokenLimit: 50 },
        spend({ tokens: 50 }),
        'token_limit_exceeded',
        undefined,
        'token limit of this API key is reached (50)',
      ],
    ]
    for (const [limits, used, code, retryAfterSeconds, words] of cases) {
      const { limiter } = setUp({ key: NO_TOTALS })
      const key = makeKey(limits)
      const first = await admitted(limiter, key, { estimate: used })
      if (code !== 'concurrency_limit_exceeded') await first.settle(used)
      const denial = await denied(limiter, key, { estimate: used })
      expect(denial).toMatchObject({ code: code as Denial['code'] })
      expect(denial.retryAfterSeconds).toBe(retryAfterSeconds)
      expect(denial.message).toContain(words)
    }
  })

  test('what requests under way hold is "later", never "pay" (KEY-4)', async () => {
    const { limiter } = setUp({ key: NO_TOTALS })
    const key = makeKey({ totalCostLimitNano: USD })
    const first = await admitted(limiter, key, { estimate: spend({ costNano: USD }) })
    const denial = await denied(limiter, key, { estimate: spend({ costNano: 1n }) })
    expect(denial).toMatchObject({ code: 'cost_rate_limit_exceeded', retryAfterSeconds: 1 })
    await first.settle(spend({ costNano: USD / 2n }))
    await admitted(limiter, key, { estimate: spend({ costNano: 1n }) })
  })

  test('money is refused before windows, and windows before slots: no one waits in vain (KEY-4)', async () => {
    const { limiter } = setUp({ fundsNano: 0n })
    const key = makeKey({ concurrencyLimit: 1, rpm: 1 })
    await admitted(limiter, key)
    expect(await denied(limiter, key)).toMatchObject({ code: 'rate_limit_exceeded' })
    const payer: Payer = { kind: 'balance', id: 'user-1', availableNano: 5n }
    const denial = await denied(limiter, key, { payer, estimate: spend({ chargeNano: 1n }) })
    expect(denial).toMatchObject({ code: 'insufficient_user_quota' })
    expect(denial.retryAfterSeconds).toBeUndefined()
  })

  test('each payer refuses in its own name; who is not limited is not asked about (BIL-10)', async () => {
    const estimate = spend({ costNano: 11n * USD, chargeNano: 2n * USD })
    const windows = {
      daily: { startedAtMs: null, usedNano: 0n },
      weekly: { startedAtMs: null, usedNano: 0n },
      monthly: { startedAtMs: null, usedNano: 0n },
    }
    const { limiter, queries } = setUp({ fundsNano: USD, subscription: windows })
    const payers: [Payer, string][] = [
      [{ kind: 'key', id: 'key-1', availableNano: USD }, 'insufficient_key_balance'],
      [{ kind: 'balance', id: 'user-1', availableNano: USD }, 'insufficient_user_quota'],
      [{ kind: 'subscription', id: 'sub-1', availableNano: USD }, 'subscription_limit_exceeded'],
    ]
    for (const [payer, code] of payers)
      expect((await denied(limiter, makeKey(), { payer, estimate })).code as string).toBe(code)
    expect(queries.map(({ funds, subscriptionId, keyId }) => [funds?.kind ?? subscriptionId, keyId])).toEqual([
      ['key', null],
      ['balance', null],
      ['sub-1', null],
    ])
    await admitted(limiter, makeKey(), { payer: { kind: 'balance', id: 'user-1', availableNano: null }, estimate })
    await admitted(limiter, makeKey(), { payer: NOBODY, estimate })
    expect(queries).toHaveLength(3)
  })

  test('a subscription counts at list price, in windows that renew by themselves (BIL-10)', async () => {
    const spent = (usedNano: bigint, startedAtMs: number) => ({ usedNano, startedAtMs })
    const yesterday = START_MS - DAY_MS
    const { limiter, clock } = setUp({
      subscription: {
        daily: spent(9n * USD, START_MS - DAY_MS + 1000),
        weekly: spent(0n, yesterday),
        monthly: spent(50n * USD, yesterday),
      },
    })
    const payer: Payer = { kind: 'subscription', id: 'sub-1', availableNano: USD }
    const two = { payer, estimate: spend({ costNano: 2n * USD, chargeNano: 0n }) }
    expect((await denied(limiter, makeKey(), two)).code).toBe('subscription_limit_exceeded')
    clock.advance(1000)
    await (await admitted(limiter, makeKey(), two)).settle(spend({ costNano: 10n * USD }))
    expect((await denied(limiter, makeKey(), two)).code).toBe('subscription_limit_exceeded')
  })

  test('N parallel requests can not spend the same money; what is settled is free again (BIL-7, BIL-8)', async () => {
    const { limiter } = setUp({ fundsNano: 10n * USD })
    const payer: Payer = { kind: 'balance', id: 'user-1', availableNano: 10n * USD }
    const one = { payer, estimate: spend({ chargeNano: USD }) }
    const answers = await Promise.all(Array.from({ length: 50 }, () => admit(limiter, makeKey(), one)))
    const holders = answers.filter((answer): answer is Admission => !isDenial(answer))
    expect(holders).toHaveLength(10)
    await Promise.all(holders.map((holder) => holder.settle(spend({ chargeNano: USD / 2n }))))
    const more = await Promise.all(Array.from({ length: 50 }, () => admit(limiter, makeKey(), one)))
    expect(more.filter((answer) => !isDenial(answer))).toHaveLength(5)
  })

  test('an admission is given back once, by whichever comes first (BIL-8)', async () => {
    const { limiter } = setUp({ fundsNano: 100n })
    const key = makeKey({ concurrencyLimit: 2 })
    const payer: Payer = { kind: 'balance', id: 'user-1', availableNano: 100n }
    const other = await admitted(limiter, key, { payer, estimate: spend({ chargeNano: 40n }) })
    const admission = await admitted(limiter, key, { payer, estimate: spend({ chargeNano: 60n }) })
    await admission.settle(spend({ chargeNano: 10n }))
    await admission.settle(spend({ chargeNano: 10n }))
    await admission.cancel()
    await admitted(limiter, key, { payer, estimate: spend({ chargeNano: 50n }) })
    expect((await denied(limiter, key)).code).toBe('concurrency_limit_exceeded')
    await other.cancel()
  })

  test('totals are read once however many requests wait for them, and start from what was used before (KEY-5)', async () => {
    const { limiter, queries } = setUp({ key: { tokens: 0, costNano: 0n, dayCostNano: 3n * USD, weekCostNano: 0n } })
    const key = makeKey({ dailyCostLimitNano: 5n * USD })
    const estimate = spend({ costNano: USD })
    const answers = await Promise.all(Array.from({ length: 20 }, () => admit(limiter, key, { estimate })))
    expect(answers.filter((answer) => !isDenial(answer))).toHaveLength(2)
    expect(queries).toHaveLength(1)
    expect(queries[0]).toMatchObject({
      keyId: 'key-1',
      dayStartMs: Date.UTC(2026, 6, 24),
      weekStartMs: Date.UTC(2026, 6, 20),
    })
  })

  test('a reading that a settlement overtakes is made again (BIL-8)', async () => {
    const { limiter, database, counters } = setUp({ fundsNano: 100n })
    const payer: Payer = { kind: 'balance', id: 'user-1', availableNano: 100n }
    const first = await admitted(limiter, makeKey(), { payer, estimate: spend({ chargeNano: 30n }) })
    await counters.forget('user-1', ['balance:user-1:funds'])
    let readings = 0
    const overtaken = createLimiter({
      counters,
      nowMs: () => START_MS,
      timeZone: 'UTC',
      onLoadFailure: () => {},
      async loadTotals() {
        if (readings++ === 0) await first.settle(spend({ chargeNano: 30n }))
        return database.totals
      },
    })
    expect((await denied(overtaken, makeKey(), { payer, estimate: spend({ chargeNano: 71n }) })).code).toBe(
      'insufficient_user_quota',
    )
    expect(readings).toBe(2)
  })

  test('database away: relaying goes on from what was known, and is read again once it is back (OPS-5)', async () => {
    const { limiter, database, failures, queries, counters, clock } = setUp({ fundsNano: 100n })
    const payer: Payer = { kind: 'balance', id: 'user-1', availableNano: 100n }
    const of = (chargeNano: bigint) => ({ payer, estimate: spend({ chargeNano }) })
    const first = await admitted(limiter, makeKey(), of(40n))
    await counters.forget('user-1', ['balance:user-1:funds'])
    database.isAway = true
    const second = await admitted(limiter, makeKey(), of(60n))
    expect((await denied(limiter, makeKey(), of(1n))).code).toBe('insufficient_user_quota')
    // Asked once: it is not hammered while it is away.
    expect([failures.length, queries.length]).toEqual([1, 2])
    database.isAway = false
    clock.advance(1000)
    database.totals = { ...database.totals, fundsNano: 150n }
    await admitted(limiter, makeKey(), of(50n))
    await Promise.all([first.cancel(), second.cancel()])
  })

  test('database away: of a payer that nobody knows yet the directory’s money serves, of a key its whole limits (OPS-5)', async () => {
    const { limiter, database, clock } = setUp({ fundsNano: 5n, key: { ...NO_TOTALS, dayCostNano: USD } })
    database.isAway = true
    const key = makeKey({ dailyCostLimitNano: USD })
    const payer: Payer = { kind: 'balance', id: 'user-1', availableNano: 100n }
    const asked = { payer, estimate: spend({ costNano: USD / 2n, chargeNano: 60n }) }
    const admission = await admitted(limiter, key, asked)
    expect((await denied(limiter, key, asked)).code).toBe('insufficient_user_quota')
    await admission.settle(spend({ costNano: USD / 2n, chargeNano: 1n }))
    database.isAway = false
    clock.advance(1000)
    // Now the truth is known: 5 nanodollars, of which one is spent, and a day whose limit was used up before.
    expect((await denied(limiter, key, { payer, estimate: spend({ chargeNano: 5n }) })).code).toBe(
      'insufficient_user_quota',
    )
    expect((await denied(limiter, key)).code).toBe('daily_cost_limit_exceeded')
  })

  test('in memory nothing is awaited', () => {
    const { limiter } = setUp()
    expect(admit(limiter, makeKey({ rpm: 5, concurrencyLimit: 3 }))).not.toBeInstanceOf(Promise)
  })

  test('many keys are read in one step for each owner, all at once (KEY-6)', async () => {
    const reads: string[] = []
    const memory = createMemoryCounters({ nowMs: manualClock().nowMs })
    let under = 0
    const counters: Counters = {
      ...memory,
      async read(owner, names) {
        reads.push(owner)
        under++
        await Promise.resolve()
        expect(under).toBe(2)
        return memory.read(owner, names)
      },
    }
    const { limiter } = setUp({}, counters)
    const limits = { rateLimitWindowMinutes: 5, concurrencyLimit: 2 }
    const keys = ['a', 'b', 'c'].map((id) => makeKey({ id, userId: id === 'c' ? 'user-2' : 'user-1', ...limits }))
    await admitted(limiter, keys[1] as ApiKey, { estimate: spend() })
    const usages = await limiter.usagesOf(keys)
    expect(reads).toEqual(['user-1', 'user-2'])
    expect(keys.map(({ id }) => [usages.get(id)?.window?.requests, usages.get(id)?.concurrency])).toEqual([
      [0, 0],
      [1, 1],
      [0, 0],
    ])
  })

  test('a key sees its window and what it used; the window is over when its time is (KEY-6, KEY-13)', async () => {
    const { limiter, clock } = setUp({ key: { tokens: 7, costNano: 0n, dayCostNano: 5n, weekCostNano: 6n } })
    const key = makeKey({ rateLimitWindowMinutes: 5, dailyCostLimitNano: USD, tokenLimit: 1000, concurrencyLimit: 3 })
    expect((await limiter.usagesOf([key])).get(key.id)).toEqual({
      window: { requests: 0, tokens: 0, cost: 0, startMs: null, endMs: null, remainingSeconds: null },
      dayCost: null,
      weekCost: null,
      totalCost: null,
      tokens: null,
      concurrency: 0,
    })
    const estimate = spend({ tokens: 100, costNano: 1000n })
    await (await admitted(limiter, key, { estimate })).settle(spend({ tokens: 30, costNano: 200n }))
    clock.advance(60_500)
    await admitted(limiter, key, { estimate })
    const window = {
      requests: 2,
      tokens: 30,
      cost: 200,
      startMs: START_MS,
      endMs: START_MS + 300_000,
      remainingSeconds: 240,
    }
    expect((await limiter.usagesOf([key])).get(key.id)).toMatchObject({
      window,
      dayCost: 205,
      weekCost: null,
      tokens: 37,
      concurrency: 1,
    })
    clock.advance(239_500)
    const over = { ...window, requests: 0, tokens: 0, cost: 0, remainingSeconds: 0 }
    expect((await limiter.usagesOf([key])).get(key.id)).toMatchObject({ window: over })
    clock.advance(DAY_MS)
    expect((await limiter.usagesOf([key])).get(key.id)).toMatchObject({ dayCost: 0, tokens: 37 })
  })
})

describe('news for the counters', () => {
  const payer: Payer = { kind: 'balance', id: 'user-1', availableNano: 100n }

  function setUpNews(key: ApiKey) {
    const all = setUp({ fundsNano: 100n, key: NO_TOTALS })
    const heard: [string, string[]][] = []
    const counters = new Proxy(all.counters, {
      get: (target, name) => {
        if (name !== 'flushed') return target[name as keyof Counters]
        return (owner: string, list: { requestId: string; counters: string[] }[]) => {
          heard.push([owner, list.flatMap((one) => [one.requestId, ...one.counters])])
          return target.flushed(owner, list)
        }
      },
    })
    const news = createCounterNews({
      counters,
      findKey: (id) => (id === key.id ? { key } : null),
      findUser: (id) => (id === 'user-1' ? makeUser({ quotaNano: 100n }) : null),
    })
    return { ...all, news, heard }
  }

  test('a top-up is seen by the next request (BIL-7)', async () => {
    const { limiter, database, news } = setUpNews(makeKey())
    const dear = { payer, estimate: spend({ chargeNano: 150n }) }
    expect((await denied(limiter, makeKey(), dear)).code).toBe('insufficient_user_quota')
    database.totals = { ...database.totals, fundsNano: 200n }
    expect((await denied(limiter, makeKey(), dear)).code).toBe('insufficient_user_quota')
    await news.userChanged('user-1')
    await admitted(limiter, makeKey(), dear)
  })

  test('what was changed in a gap of hearing is read again, once for each key, money and limits alike (BIL-7, KEY-5)', async () => {
    const limited = makeKey({ tokenLimit: 100 })
    const { limiter, database, queries } = setUpNews(limited)
    const dear = { payer, estimate: spend({ chargeNano: 150n, tokens: 1 }) }
    expect((await denied(limiter, limited, dear)).code).toBe('insufficient_user_quota')
    expect(queries).toHaveLength(1)
    database.totals = { ...database.totals, fundsNano: 1000n }
    limiter.distrust()
    const first = await admitted(limiter, limited, dear)
    expect(queries).toHaveLength(2)
    await admitted(limiter, limited, dear)
    expect(queries).toHaveLength(2)
    await first.settle(spend({ chargeNano: 50n, tokens: 99 }))

    database.totals = { ...database.totals, key: { ...NO_TOTALS, tokens: 100 } }
    limiter.distrust()
    expect((await denied(limiter, limited, dear)).code).toBe('token_limit_exceeded')
    expect(queries).toHaveLength(3)
    // What is settled and not yet in the database was not forgotten with the rest: 1000 - 50, of which 150 are held.
    expect((await denied(limiter, makeKey(), { payer, estimate: spend({ chargeNano: 801n }) })).code).toBe(
      'insufficient_user_quota',
    )
    await admitted(limiter, makeKey(), { payer, estimate: spend({ chargeNano: 800n }) })
  })

  test('after a gap with the database away, what was known goes on (OPS-5)', async () => {
    const { limiter, database, queries } = setUpNews(makeKey())
    await admitted(limiter, makeKey(), { payer, estimate: spend({ chargeNano: 50n }) })
    database.isAway = true
    limiter.distrust()
    const dear = { payer, estimate: spend({ chargeNano: 60n }) }
    expect((await denied(limiter, makeKey(), dear)).code).toBe('insufficient_user_quota')
    await admitted(limiter, makeKey(), { payer, estimate: spend({ chargeNano: 50n }) })
    expect(queries).toHaveLength(2)
  })

  test('a limit that is switched on again does not go on from where it was switched off (KEY-10)', async () => {
    const limited = makeKey({ tokenLimit: 100 })
    const { limiter, database, news } = setUpNews(limited)
    await (await admitted(limiter, limited, { estimate: spend({ tokens: 1 }) })).settle(spend({ tokens: 1 }))
    database.totals = { ...database.totals, key: { ...NO_TOTALS, tokens: 100 } }
    await news.keyChanged(limited)
    expect((await denied(limiter, limited)).code).toBe('token_limit_exceeded')
  })

  test('receipts are told under their owner, with what they moved; of what nobody counts nothing is told (BIL-13)', async () => {
    const { news, heard } = setUpNews(makeKey({ dailyCostLimitNano: USD }))
    const receipt = {
      id: 'a',
      keyId: 'key-1',
      userId: 'user-1',
      subscriptionId: null,
      billingType: 'balance' as const,
      usedNothing: false,
    }
    await news.flushed([
      receipt,
      { ...receipt, id: 'refused', usedNothing: true },
      { ...receipt, id: 'b', keyId: 'gone', billingType: 'none' },
      { ...receipt, id: 'c', keyId: 'gone', billingType: 'key' },
      { ...receipt, id: 'd', keyId: 'gone', userId: 'unlimited' },
      { ...receipt, id: 'e', keyId: 'gone', userId: 'user-2', subscriptionId: 'sub', billingType: 'subscription' },
    ])
    const ofKey = ['total', 'tokens', 'week', 'day'].map((name) => `key:key-1:${name}`)
    expect(heard).toEqual([
      ['user-1', ['a', ...ofKey, 'balance:user-1:funds', 'c', 'key:gone:funds']],
      ['user-2', ['e', 'subscription:sub:daily', 'subscription:sub:weekly', 'subscription:sub:monthly']],
    ])
  })
})

/** Time stands still, or a slow machine would let in more than fits into a minute. */
const noon = () => START_MS

describe.each([
  ['in memory', false, () => [createMemoryCounters({ nowMs: noon })]],
  [
    'over three Redis clients',
    clients.length === 0,
    () => clients.map((client) => createRedisCounters({ client, nowMs: noon })),
  ],
] as [string, boolean, () => Counters[]][])('500 parallel requests %s (KEY-7)', (name, isMissing, build) => {
  const estimate = spend({ tokens: 1000, costNano: USD / 100n, chargeNano: USD / 100n })
  const payer: Payer = { kind: 'balance', id: '', availableNano: 1n }
  const cases: [string, Partial<ApiKey>, Payer, number][] = [
    ['100 requests', { rateLimitWindowMinutes: 5, rateLimitRequests: 100 }, NOBODY, 100],
    ['50,000 tokens', { rateLimitWindowMinutes: 5, rateLimitTokens: 50_000 }, NOBODY, 50],
    ['1 USD a window', { rateLimitWindowMinutes: 5, rateLimitCostNano: USD }, NOBODY, 100],
    ['1 USD a day', { dailyCostLimitNano: USD }, NOBODY, 100],
    ['1 USD in all', { totalCostLimitNano: USD }, NOBODY, 100],
    ['10 at a time', { concurrencyLimit: 10 }, NOBODY, 10],
    ['100 a minute', { rpm: 100 }, NOBODY, 100],
    ['50,000 tokens a minute', { tpm: 50_000 }, NOBODY, 50],
    ['0.3 USD to spend', {}, payer, 30],
    [
      'all of these',
      {
        rateLimitWindowMinutes: 5,
        rateLimitRequests: 100,
        rateLimitTokens: 50_000,
        rateLimitCostNano: USD,
        concurrencyLimit: 10,
        tpm: 50_000,
      },
      payer,
      10,
    ],
  ]
  test.skipIf(isMissing).each(cases)(
    'against %s: exactly so many pass, and as many again when they have ended',
    async (title, limits, paying, passing) => {
      const userId = `${title} ${name} ${RUN}`.replaceAll(/\W/g, '-')
      const key = makeKey({ id: `key of ${userId}`.replaceAll(' ', '-'), userId, ...limits })
      const totals: Totals = { recordedIds: [], key: NO_TOTALS, fundsNano: (3n * USD) / 10n, subscription: null }
      const limiters = build().map((counters) =>
        createLimiter({
          counters,
          loadTotals: async () => totals,
          nowMs: noon,
          timeZone: 'UTC',
          onLoadFailure: () => {},
        }),
      )
      const by = paying.kind === 'balance' ? { ...paying, id: userId } : paying
      const burst = async () => {
        const answers = await Promise.all(
          Array.from({ length: 500 }, (_, index) =>
            admit(limiters[index % limiters.length] as Limiter, key, { payer: by, estimate }),
          ),
        )
        return answers.filter((answer): answer is Admission => !isDenial(answer))
      }
      const first = await burst()
      expect(first).toHaveLength(passing)
      await Promise.all(first.map((admission) => admission.cancel()))
      expect(await burst()).toHaveLength(passing)
    },
    20_000,
  )
})
