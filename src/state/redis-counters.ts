/**
 * Counters shared by all instances (see ./counters): each step is one script, hence one round trip (OPS-4). Time is Redis' own.
 *
 * A request under way has a lease; `renew` must be called well within it for requests that take longer.
 *
 * If it fails: the step rejects, and may have been done or not. `shared-counters` takes it from there; repeating a step is harmless.
 */
import type { Limit, Take } from '../core/limit.ts'
import { parseBucket, parseTakes, pushAmounts, pushLimit, spanText, takesText } from './counter-text.ts'
import type { AdmissionOutcome, AdmissionStep, Counters, SeedStep, SettlementStep } from './counters.ts'
import { defineScript, type RedisScript, type ScriptClient } from './redis-script.ts'
import admitText from './scripts/admit.lua' with { type: 'text' }
import commonText from './scripts/common.lua' with { type: 'text' }
import flushedText from './scripts/flushed.lua' with { type: 'text' }
import forgetText from './scripts/forget.lua' with { type: 'text' }
import readText from './scripts/read.lua' with { type: 'text' }
import renewText from './scripts/renew.lua' with { type: 'text' }
import restoreText from './scripts/restore.lua' with { type: 'text' }
import seedText from './scripts/seed.lua' with { type: 'text' }
import settleText from './scripts/settle.lua' with { type: 'text' }

export interface RedisCountersOptions {
  client: ScriptClient
  leaseMs?: number
  /** For how long a settled request's id is remembered after the database has it. */
  rememberMs?: number
  /** Tests only: a time to be used instead of Redis'. */
  nowMs?(): number
}

export const LEASE_MS = 60_000
const REMEMBER_MS = 600_000
const DAY_MS = 86_400_000
/** An owner's keys go away after this time without a request: longer than a week's limit needs, and what is durable can be read again. */
const KEEP_MS = 8 * DAY_MS

const define = (text: string) => defineScript(`${commonText}\n${text}`)
const admitScript = define(admitText)
const settleScript = define(settleText)
const restoreScript = define(restoreText)
const renewScript = define(renewText)
const seedScript = define(seedText)
const flushedScript = define(flushedText)
const forgetScript = define(forgetText)
const readScript = define(readText)

export function createRedisCounters(options: RedisCountersOptions): Counters {
  const { client, leaseMs = LEASE_MS, rememberMs = REMEMBER_MS } = options

  function run(script: RedisScript, owner: string, step: { args: string[]; keepMs?: number }): Promise<unknown> {
    const now = options.nowMs ? String(options.nowMs()) : ''
    const times = [now, String(leaseMs), String(rememberMs), String(step.keepMs ?? KEEP_MS)]
    return script(client, keysOf(owner), [...times, ...step.args])
  }

  return {
    async admit(step) {
      const args = admissionArguments(step)
      return toOutcome(step, await run(admitScript, step.owner, { args, keepMs: keepMsOf(step.limits) }))
    },
    async settle(step) {
      return (await run(settleScript, step.owner, { args: settlementArguments(step) })) === 1
    },
    async restore({ owner, requestId, takes }) {
      await run(restoreScript, owner, { args: [requestId, takesText(takes)] })
    },
    async renew(owner, requestIds) {
      return (await run(renewScript, owner, { args: [...requestIds] })) as string[]
    },
    async seed(step) {
      return (await run(seedScript, step.owner, { args: seedArguments(step) })) === 1
    },
    async flushed(owner, requests) {
      const args = requests.flatMap(({ requestId, counters }) => [requestId, String(counters.length), ...counters])
      await run(flushedScript, owner, { args })
    },
    async forget(owner, counters) {
      await run(forgetScript, owner, { args: [...counters] })
    },
    async read(owner, counters) {
      const [now, ...texts] = (await run(readScript, owner, { args: [...counters] })) as string[]
      return { nowMs: Number(now), buckets: texts.map(parseBucket) }
    },
  }
}

function keysOf(owner: string): string[] {
  return ['counters', 'records', 'due', 'done'].map((name) => `tp:{${owner}}:${name}`)
}

function admissionArguments(step: AdmissionStep): string[] {
  const args = [step.requestId, step.acceptsStale ? '1' : '']
  pushAmounts(args, step.amounts)
  for (const limit of step.limits) pushLimit(args, limit)
  return args
}

function settlementArguments(step: SettlementStep): string[] {
  const args = [step.requestId, step.isLate ? '1' : '']
  pushAmounts(args, step.actual)
  args.push(takesText(step.takes))
  return args
}

function seedArguments({ epoch, seeds, recordedIds, isGuess }: SeedStep): string[] {
  const args = [epoch, isGuess ? '1' : '', String(seeds.length)]
  for (const { counter, span, startMs, used, most } of seeds) {
    args.push(counter, spanText(span), String(startMs), String(used), most === null ? '' : String(most))
  }
  return [...args, ...recordedIds]
}

/** A key's window may be longer than what is kept by default. */
function keepMsOf(limits: readonly Limit[]): number {
  let keepMs = KEEP_MS
  for (const { span } of limits) if (span.kind === 'window') keepMs = Math.max(keepMs, span.lengthMs + DAY_MS)
  return keepMs
}

type Reply =
  | ['admitted', ...number[]]
  | ['repeated', string]
  | ['refused', which: number, waitMs: number, isHeld: number]
  | ['unknown', epoch: string, counters: string[], requestIds: string[]]

function toOutcome(step: AdmissionStep, answer: unknown): AdmissionOutcome {
  const reply = answer as Reply
  switch (reply[0]) {
    case 'admitted': {
      const [, ...numbers] = reply
      return { kind: 'admitted', takes: step.limits.map((limit, index) => toTake(limit, numbers, 2 * index)) }
    }
    case 'repeated':
      return { kind: 'admitted', takes: parseTakes(reply[1]) }
    case 'unknown':
      return { kind: 'unknown', epoch: reply[1], counters: reply[2], requestIds: reply[3] }
    case 'refused': {
      const [, which, waitMs, isHeld] = reply
      const limit = step.limits[which - 1] as Limit
      return { kind: 'refused', refusal: { limit, waitMs: waitMs < 0 ? null : waitMs, isHeld: isHeld === 1 } }
    }
  }
}

function toTake(limit: Limit, numbers: readonly number[], at: number): Take {
  const { counter, measure, span, durable } = limit
  const isRate = span.kind === 'rate'
  const perMinute = isRate ? (limit.most ?? 0) : 0
  const [startMs = 0, amount = 0] = numbers.slice(at, at + 2)
  return { counter, measure, kind: isRate ? 'rate' : 'bucket', startMs, amount, perMinute, durable }
}
