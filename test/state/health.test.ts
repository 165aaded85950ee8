import { expect, test } from 'bun:test'
import type { AccountBlock } from '../../src/core/account-block.ts'
import { createAccountPool } from '../../src/core/account-pool.ts'
import type { Failure, FailureCause, ToldLimit } from '../../src/core/failure.ts'
import { createHealth, type HealthChange } from '../../src/state/health.ts'
import { makeAccount } from '../support/make.ts'

function setUp() {
  const clock = { nowMs: 1000 }
  const pool = createAccountPool((account) => account.groupIds, 0)
  pool.put(makeAccount({ id: 'a' }))
  const changes: HealthChange[] = []
  const health = createHealth({ pool, nowMs: () => clock.nowMs, onChange: (change) => changes.push(change) })
  const choose = (model = 'm') =>
    pool.choose({
      poolId: 'g',
      model,
      nowMs: clock.nowMs,
      excluded: new Set(),
      offers: () => true,
      blockedFor: (entry) => health.blocks(entry, model, clock.nowMs),
    })?.entry ?? null
  const fail = (cause: FailureCause, told: ToldLimit | null = null) =>
    health.noteFailure('a', { cause, status: null, error: null, told } satisfies Failure)
  return { clock, pool, health, changes, choose, fail }
}

test('a limited account is out until the provider’s second, with cause, source, start and end (ACC-6)', () => {
  const { clock, health, changes, choose, fail } = setUp()
  fail('rate_limited', { untilMs: 5000, source: 'retry-after', family: null })
  expect(choose()).toBeNull()
  const block = {
    cause: 'rate_limited',
    source: 'retry-after',
    family: null,
    sinceMs: 1000,
    untilMs: 5000,
    message: null,
  }
  expect(health.describe('a').blocks).toEqual([block as never])
  expect(changes).toEqual([{ accountId: 'a', block: block as never }])
  clock.nowMs = 5000
  expect(choose()?.account.id).toBe('a')
  expect(health.describe('a').blocks).toEqual([])
})

test('a longer cooldown is never shortened by a later answer (ACC-6)', () => {
  const { clock, choose, fail } = setUp()
  fail('rate_limited', { untilMs: 5000, source: 'retry-after', family: null })
  fail('rate_limited', { untilMs: 2000, source: 'retry-after', family: null })
  clock.nowMs = 4999
  expect(choose()).toBeNull()
})

test('a limit on one family leaves the others to be served (ACC-6)', () => {
  const { choose, fail } = setUp()
  fail('rate_limited', { untilMs: 5000, source: 'x', family: 'big' })
  expect(choose('big')).toBeNull()
  expect(choose('small')?.account.id).toBe('a')
})

test('what is stored of an account counts here too: after a restart, and from other instances (ACC-6, OPS-4)', () => {
  const { clock, health, changes, choose, fail } = setUp()
  const block = { cause: 'rate_limited', source: 'retry-after', sinceMs: 0, message: null } as const
  const blocks: AccountBlock[] = [
    { ...block, family: 'big', untilMs: 5000 },
    { ...block, family: 'over', untilMs: 500 },
    // The status says whether it is in error, not this.
    { ...block, family: null, cause: 'error', untilMs: null },
  ]
  health.accountStored(makeAccount({ id: 'a', blocks }))
  expect(health.describe('a').blocks).toEqual([{ ...block, family: 'big', untilMs: 5000 }])
  expect([choose('big'), choose('small')?.account.id, choose('over')?.account.id]).toEqual([null, 'a', 'a'])
  expect([...health.limitedAccounts()]).toEqual(['a'])
  // Stored already: nothing to write.
  expect(changes).toEqual([])
  fail('rate_limited', { untilMs: 4000, source: 'x', family: 'big' })
  clock.nowMs = 4999
  expect(choose('big')).toBeNull()
  clock.nowMs = 5000
  expect(choose('big')?.account.id).toBe('a')
  expect([...health.limitedAccounts()]).toEqual([])
})

test('after the circuit opened one request at a time probes it, and a success closes it (ACC-6)', () => {
  const { clock, pool, health, choose, fail } = setUp()
  for (let i = 0; i < 5; i++) fail('server_error')
  expect(choose()).toBeNull()
  clock.nowMs += 30_000
  const probe = choose()
  if (!probe) throw new Error('no probe')
  pool.acquire(probe)
  expect(choose()).toBeNull()
  health.noteSuccess('a', 'm')
  expect(choose()?.account.id).toBe('a')
})

test('a reset clears every block at once, an error too (ACC-6)', () => {
  const { health, choose, fail } = setUp()
  fail('unauthorized')
  fail('rate_limited', { untilMs: 9_000_000, source: 'retry-after', family: null })
  expect(choose()).toBeNull()
  health.reset('a')
  expect(choose()?.account.id).toBe('a')
  expect(health.describe('a').blocks).toEqual([])
})

test('a full subscription window keeps the account out until its reset (ACC-11)', () => {
  const { clock, health, choose } = setUp()
  const window = { usedPercent: 100, resetAtMs: 61_000, windowMinutes: 300 }
  health.noteSnapshot('a', { fiveHour: window, sevenDay: null, raw: {}, takenAtMs: 1000 })
  expect(choose()).toBeNull()
  clock.nowMs = 61_000
  expect(choose()?.account.id).toBe('a')
})
