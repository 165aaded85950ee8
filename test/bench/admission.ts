/**
 * What an admission and its settlement cost, in memory and over Redis: bun test/bench/admission.ts
 *
 * A key with two limits, and one with every limit there is whose user pays from a balance: 11 counters a request. Best of 12 rounds on a
 * busy 2-core machine, CPU: in memory 2.4 and 6.1 µs; of Redis itself 57 + 39 and 164 + 136 µs (admission + settlement).
 */
import { Redis } from 'ioredis'
import { isDenial } from '../../src/core/denial.ts'
import type { Counters } from '../../src/state/counters.ts'
import { createLimiter, type Limiter } from '../../src/state/limiter.ts'
import { createMemoryCounters } from '../../src/state/memory-counters.ts'
import { createRedisCounters } from '../../src/state/redis-counters.ts'
import { createSharedCounters } from '../../src/state/shared-counters.ts'
import { makeKey } from '../support/make.ts'
import { startRedis } from '../support/redis.ts'

const MANY = 1_000_000_000
const LOTS = 1_000_000_000_000n
const everything = makeKey({
  tokenLimit: MANY,
  concurrencyLimit: MANY,
  rateLimitWindowMinutes: 5,
  rateLimitRequests: MANY,
  rateLimitTokens: MANY,
  rateLimitCostNano: LOTS,
  rpm: MANY,
  tpm: MANY,
  dailyCostLimitNano: LOTS,
  weeklyCostLimitNano: LOTS,
  totalCostLimitNano: LOTS,
})
const plain = makeKey({ id: 'plain', rpm: MANY, concurrencyLimit: 100 })
const payer = { kind: 'balance', id: 'user-1', availableNano: LOTS } as const
const estimate = { tokens: 5000, costNano: 20_000n, chargeNano: 20_000n }
const actual = { tokens: 1234, costNano: 5000n, chargeNano: 5000n }
const totals = { tokens: 0, costNano: 0n, dayCostNano: 0n, weekCostNano: 0n }

let requests = 0

function limiterOf(counters: Counters): Limiter {
  const loadTotals = async () => ({ recordedIds: [], key: totals, fundsNano: LOTS, subscription: null })
  return createLimiter({ counters, loadTotals, nowMs: Date.now, timeZone: 'UTC', onLoadFailure: console.error })
}

async function once(limiter: Limiter, counters: Counters, key: typeof everything): Promise<void> {
  const requestId = `${requests++}`
  const answer = await limiter.admit({
    requestId,
    key,
    payer: key === plain ? { kind: 'none' } : payer,
    subscriptionLimits: null,
    estimate: () => estimate,
  })
  if (isDenial(answer)) throw new Error(answer.code)
  await answer.settle(actual)
  if (key !== plain) await counters.flushed('user-1', [{ requestId, counters: [] }])
}

async function measure(
  title: string,
  run: () => Promise<void>,
  { count, atATime }: { count: number; atATime: number },
) {
  for (let warm = 0; warm < count / 10; warm++) await run()
  const [startedAt, startedCpu] = [performance.now(), cpuMicros()]
  for (let done = 0; done < count; done += atATime) {
    if (atATime === 1) await run()
    else await Promise.all(Array.from({ length: atATime }, run))
  }
  const wall = ((performance.now() - startedAt) * 1000) / count
  const cpu = (cpuMicros() - startedCpu) / count
  console.log(
    `${title.padEnd(62)} ${wall.toFixed(1).padStart(8)} µs a request, CPU of this process ${cpu.toFixed(1)} µs`,
  )
}

function cpuMicros(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

const memory = createMemoryCounters({ nowMs: Date.now })
const inMemory = limiterOf(memory)
for (let round = 0; round < 3; round++) {
  const size = { count: 100_000, atATime: 1 }
  await measure('memory, 2 counters: admit, settle', () => once(inMemory, memory, plain), size)
  await measure('memory, 11 counters: admit, settle, flushed', () => once(inMemory, memory, everything), size)
}

const server = await startRedis()
if (server) {
  const client = new Redis(server.url)
  const shared = createSharedCounters({
    shared: createRedisCounters({ client }),
    createLocal: () => createMemoryCounters({ nowMs: Date.now }),
    whenDown: 'refuse',
    nowMs: Date.now,
    onModeChange: (mode, error) => console.error(mode, error),
  })
  const overRedis = limiterOf(shared)
  for (let round = 0; round < 2; round++) {
    await measure('Redis, 2 counters: admit, settle, one after another', () => once(overRedis, shared, plain), {
      count: 3000,
      atATime: 1,
    })
    await measure(
      'Redis, 11 counters: admit, settle, flushed, one after another',
      () => once(overRedis, shared, everything),
      { count: 3000, atATime: 1 },
    )
    await measure(
      'Redis, 11 counters: admit, settle, flushed, 50 at a time',
      () => once(overRedis, shared, everything),
      { count: 10_000, atATime: 50 },
    )
  }
  const [, calls = '0', micros = '0'] =
    /cmdstat_evalsha:calls=(\d+),usec=(\d+)/.exec(await client.info('commandstats')) ?? []
  console.log(`Redis itself: ${(Number(micros) / Number(calls)).toFixed(1)} µs a script, ${calls} scripts`)
  shared.stop()
  client.disconnect()
  await server.stop()
}
