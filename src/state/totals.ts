/**
 * What the database is asked about durable counters, and how its answer becomes their seeds (see ./counters). No SQL here: the question is
 * handed to a loader.
 */
import type { ApiKey } from '../core/entities.ts'
import { type CalendarBoundaries, fundsCounter, keyCounter, subscriptionCounter, toCount } from '../core/key-limits.ts'
import { type Limit, MOST_COUNT } from '../core/limit.ts'
import type { Nano } from '../core/money.ts'
import type { Payer } from '../core/quota.ts'
import type { Seed } from '../core/seed.ts'
import type { UsageWindow, WindowName } from '../core/subscription.ts'

/** All of it is to be read in ONE snapshot of the database (one statement, or `repeatable read`): what is null is not asked for. */
export interface TotalsQuery {
  /** Key whose totals are wanted: all tokens and list-price cost, and the cost of the day and the week that begin at the given times. */
  keyId: string | null
  dayStartMs: number
  weekStartMs: number
  /** Whose money is wanted: the balance of a key, or what a user may still spend (core/quota `userAvailable`). */
  funds: { kind: 'key' | 'balance'; id: string } | null
  subscriptionId: string | null
  /** Which of these have their receipt in the database? */
  requestIds: readonly string[]
}

export interface Totals {
  recordedIds: readonly string[]
  /** Null: not asked for, or gone. */
  key: { tokens: number; costNano: Nano; dayCostNano: Nano; weekCostNano: Nano } | null
  /** Null: not asked for, or without limit. 0 for a payer that is gone. */
  fundsNano: Nano | null
  subscription: Readonly<Record<WindowName, UsageWindow>> | null
}

/** Rejects when the database is away. */
export type TotalsLoader = (query: TotalsQuery) => Promise<Totals>

export interface TotalsOf {
  key: ApiKey
  payer: Payer
  calendar: CalendarBoundaries
  requestIds: readonly string[]
}

/** Asks only for what the unknown counters need: those with a hold are the payer's, the others the key's. */
export function toTotalsQuery(of: TotalsOf, unknown: readonly Limit[]): TotalsQuery {
  const { key, payer, calendar, requestIds } = of
  const wantsKey = unknown.some((limit) => limit.rule !== 'hold')
  const wantsPayer = unknown.some((limit) => limit.rule === 'hold')
  const isFunds = wantsPayer && (payer.kind === 'key' || payer.kind === 'balance')
  return {
    keyId: wantsKey ? key.id : null,
    dayStartMs: calendar.day[1],
    weekStartMs: calendar.week[1],
    funds: isFunds ? { kind: payer.kind, id: payer.id } : null,
    subscriptionId: wantsPayer && payer.kind === 'subscription' ? payer.id : null,
    requestIds,
  }
}

/**
 * What is said while the database is away (OPS-5): the money that the directory knows of, and nothing used – relaying goes on, and what was
 * used is counted as soon as it can be read.
 */
export function guessTotals({ payer }: TotalsOf): Totals {
  const unused = { startedAtMs: null, usedNano: 0n }
  return {
    recordedIds: [],
    key: { tokens: 0, costNano: 0n, dayCostNano: 0n, weekCostNano: 0n },
    fundsNano: payer.kind === 'none' ? null : payer.availableNano,
    subscription: { daily: unused, weekly: unused, monthly: unused },
  }
}

interface Known {
  startMs?: number
  used: Nano | number
  most?: Nano | null
}

/** Of what the database does not know any more (a key deleted meanwhile) nothing was used, and there is no money. */
export function toSeeds(of: TotalsOf, unknown: readonly Limit[], totals: Totals): Seed[] {
  const known = knownCounters(of, totals)
  return unknown.map(({ counter, span, rule, most }) => {
    const { startMs = 0, used, most: funds = 0n } = known.get(counter) ?? { used: 0 }
    const hasOwnLimit = rule === 'hold' && most === null
    return {
      counter,
      span,
      startMs,
      used: Math.min(MOST_COUNT, Number(used)),
      most: hasOwnLimit ? toCount(funds ?? BigInt(MOST_COUNT)) : null,
    }
  })
}

function knownCounters({ key, payer, calendar }: TotalsOf, totals: Totals): Map<string, Known> {
  const known = new Map<string, Known>()
  if (totals.key) {
    const { tokens, costNano, dayCostNano, weekCostNano } = totals.key
    known.set(keyCounter(key.id, 'tokens'), { used: tokens })
    known.set(keyCounter(key.id, 'total'), { used: costNano })
    known.set(keyCounter(key.id, 'day'), { used: dayCostNano, startMs: calendar.day[1] })
    known.set(keyCounter(key.id, 'week'), { used: weekCostNano, startMs: calendar.week[1] })
  }
  if (payer.kind === 'key' || payer.kind === 'balance') {
    known.set(fundsCounter(payer), { used: 0, most: totals.fundsNano })
  }
  if (payer.kind === 'subscription' && totals.subscription) {
    for (const [name, window] of Object.entries(totals.subscription) as [WindowName, UsageWindow][]) {
      known.set(subscriptionCounter(payer.id, name), { used: window.usedNano, startMs: window.startedAtMs ?? 0 })
    }
  }
  return known
}
