import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type ChooseInput, createAccountPool } from '../../src/core/account-pool.ts'
import type { Account } from '../../src/core/entities.ts'
import { makeAccount } from '../support/make.ts'

const poolOf = (accounts: Account[], nowMs = 0) => {
  const pool = createAccountPool((account) => account.groupIds, nowMs)
  for (const account of accounts) pool.put(account)
  return pool
}
const ask = (over: Partial<ChooseInput> = {}): ChooseInput => ({
  poolId: 'g',
  model: 'gpt-5',
  nowMs: 0,
  excluded: new Set(),
  offers: () => true,
  ...over,
})
const take = (pool: ReturnType<typeof poolOf>, over: Partial<ChooseInput> = {}) => {
  const choice = pool.choose(ask(over))
  if (choice) pool.acquire(choice.entry)
  return choice?.entry.account.id ?? null
}

describe('choosing an account', () => {
  test('the lowest priority number goes first (ACC-3)', () => {
    const pool = poolOf([makeAccount({ id: 'b', priority: 2 }), makeAccount({ id: 'a', priority: 9 })])
    expect(take(pool)).toBe('b')
    expect(take(pool)).toBe('b')
  })

  test('within a priority the least recently used goes, never-used first, so that a burst spreads (ACC-3)', () => {
    const pool = poolOf([
      makeAccount({ id: 'a', lastUsedAtMs: 2000 }),
      makeAccount({ id: 'b', lastUsedAtMs: 1000 }),
      makeAccount({ id: 'c' }),
    ])
    expect([take(pool), take(pool), take(pool), take(pool), take(pool)]).toEqual(['c', 'b', 'a', 'c', 'b'])
  })

  test('never-used accounts are told apart by id, so that the same state gives the same choice (ACC-3)', () => {
    expect(take(poolOf([makeAccount({ id: 'z' }), makeAccount({ id: 'm' })]))).toBe('m')
  })

  test('a full account is passed over and comes back with its slot (ACC-1, ACC-7)', () => {
    const pool = poolOf([makeAccount({ id: 'a', concurrency: 1 })])
    const entry = pool.get('a')
    expect(take(pool)).toBe('a')
    expect(take(pool)).toBeNull()
    if (entry) pool.release(entry)
    expect(take(pool)).toBe('a')
  })

  test('an account with a mapping supports exactly its names, one without supports all; the longest match wins (ACC-2)', () => {
    const pool = poolOf([makeAccount({ id: 'a', modelMapping: { 'gpt-*': 'x', 'gpt-5*': 'y', 'gpt-5-mini': 'z' } })])
    const upstream = (model: string) => pool.choose(ask({ model }))?.upstreamModel ?? null
    expect([upstream('gpt-4'), upstream('gpt-5.4'), upstream('gpt-5-mini'), upstream('o3')]).toEqual([
      'x',
      'y',
      'z',
      null,
    ])
    expect(poolOf([makeAccount({ id: 'b' })]).choose(ask({ model: 'anything' }))?.upstreamModel).toBe('anything')
  })

  test.each([
    ['disabled', { status: 'disabled' }],
    ['error', { status: 'error' }],
    ['unschedulable', { schedulable: false }],
    ['expired', { expiresAtMs: 5 }],
    ['rate_limited', { rateLimitedUntilMs: 20 }],
    ['overloaded', { overloadedUntilMs: 20 }],
    ['cooling_down', { unschedulableUntilMs: 20 }],
  ] as const)('an account that is %s is not chosen, and the choice says why (ACC-1, ACC-17)', (cause, over) => {
    const pool = poolOf([makeAccount({ id: 'a', ...over })], 10)
    expect(pool.choose(ask({ nowMs: 10 }))).toBeNull()
    expect(pool.explain(ask({ nowMs: 10 }))).toEqual({ candidates: 1, passedOver: { [cause]: 1 }, sticky: 'none' })
  })

  test('a cooldown ends by itself at its very moment, and a shorter one never shortens it (ACC-6)', () => {
    const pool = poolOf([makeAccount({ id: 'a' })])
    const entry = pool.get('a')
    if (!entry) throw new Error('no entry')
    pool.park(entry, 'rate_limited', 100)
    pool.park(entry, 'overloaded', 50)
    expect(take(pool, { nowMs: 99 })).toBeNull()
    expect(take(pool, { nowMs: 100 })).toBe('a')
  })

  test('an account expires while the gateway runs (ACC-1)', () => {
    const pool = poolOf([makeAccount({ id: 'a', expiresAtMs: 100 })])
    expect(take(pool, { nowMs: 99 })).toBe('a')
    expect(take(pool, { nowMs: 100 })).toBeNull()
  })

  test('an edit moves an account between groups and keeps its slots (ACC-7)', () => {
    const pool = poolOf([makeAccount({ id: 'a', concurrency: 1 })])
    expect(take(pool)).toBe('a')
    pool.put(makeAccount({ id: 'a', concurrency: 1, groupIds: ['h'] }))
    expect(take(pool)).toBeNull()
    expect(take(pool, { poolId: 'h' })).toBeNull()
    const entry = pool.get('a')
    if (entry) pool.release(entry)
    expect(take(pool, { poolId: 'h' })).toBe('a')
  })

  test('accounts tried before are excluded, and only them (ACC-5)', () => {
    const pool = poolOf(['a', 'b', 'c'].map((id) => makeAccount({ id })))
    expect(take(pool, { excluded: new Set(['a', 'b']) })).toBe('c')
    expect(take(pool, { excluded: new Set(['a', 'b', 'c']) })).toBeNull()
  })
})

/** The rule in its plainest form: look at all accounts, sort, take the first. */
function slowChoice(accounts: Account[], state: Map<string, { usedAt: number; inFlight: number }>, input: ChooseInput) {
  const load = (a: Account) => (state.get(a.id)?.inFlight ?? 0) / (a.concurrency || 1)
  const usedAt = (a: Account) => state.get(a.id)?.usedAt ?? 0
  return (
    accounts
      .filter((a) => a.groupIds.includes(input.poolId) && a.status === 'active' && !input.excluded.has(a.id))
      .filter((a) => Object.keys(a.modelMapping).length === 0 || input.model in a.modelMapping)
      .filter((a) => a.concurrency === 0 || (state.get(a.id)?.inFlight ?? 0) < a.concurrency)
      .sort(
        (a, b) => a.priority - b.priority || usedAt(a) - usedAt(b) || load(a) - load(b) || (a.id < b.id ? -1 : 1),
      )[0]?.id ?? null
  )
}

test('the indexed choice equals sorting all accounts, whatever happened before (ACC-3)', () => {
  const account = fc.record({
    priority: fc.integer({ min: 1, max: 3 }),
    concurrency: fc.integer({ min: 0, max: 2 }),
    mapped: fc.boolean(),
    disabled: fc.boolean(),
    groupIds: fc.constantFrom(['g'], ['h'], ['g', 'h']),
  })
  const step = fc.record({
    what: fc.constantFrom('take', 'take', 'take', 'release', 'edit'),
    poolId: fc.constantFrom('g', 'h'),
    model: fc.constantFrom('m', 'n'),
    index: fc.nat(7),
    over: account,
    exclude: fc.array(fc.nat(7), { maxLength: 2 }),
  })
  const build = (index: number, over: { mapped: boolean; disabled: boolean } & Partial<Account>) =>
    makeAccount({
      id: `a${index}`,
      priority: over.priority ?? 1,
      concurrency: over.concurrency ?? 0,
      groupIds: over.groupIds ?? ['g'],
      status: over.disabled ? 'disabled' : 'active',
      modelMapping: over.mapped ? { m: 'm' } : {},
    })
  fc.assert(
    fc.property(
      fc.array(account, { minLength: 1, maxLength: 8 }),
      fc.array(step, { maxLength: 60 }),
      (given, steps) => {
        const accounts = given.map((over, index) => build(index, over))
        const pool = poolOf(accounts)
        const state = new Map<string, { usedAt: number; inFlight: number }>()
        let clock = 0
        for (const { what, poolId, model, index, over, exclude } of steps) {
          const id = `a${index}`
          if (what === 'edit' && index < accounts.length) {
            accounts[index] = build(index, over)
            pool.put(build(index, over))
          } else if (what === 'release') {
            const entry = pool.get(id)
            const known = state.get(id)
            if (!entry || !known || known.inFlight === 0) continue
            known.inFlight--
            pool.release(entry)
          } else if (what === 'take') {
            const input = ask({ poolId, model, excluded: new Set(exclude.map((i) => `a${i}`)) })
            const expected = slowChoice(accounts, state, input)
            const choice = pool.choose(input)
            expect(choice?.entry.account.id ?? null).toBe(expected)
            if (!choice || !expected) continue
            pool.acquire(choice.entry)
            state.set(expected, { usedAt: ++clock, inFlight: (state.get(expected)?.inFlight ?? 0) + 1 })
          }
        }
      },
    ),
  )
})
