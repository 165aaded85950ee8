/**
 * How an import moves the imported sums (USE-7). Pure; db/statistics-import.ts stores what this works out.
 *
 * A file may count more requests of a key and model than it lists: whoever wrote it kept only the newest details. Of each key and model two things
 * are held: the details that were listed in any file, each once, and the largest total that any file has claimed. The total is the larger of the
 * two. So it is the same whatever order files come in, and a file that comes again claims nothing new:
 *
 *   a file with a total of 5000 and its newest 1000   → 1000 listed, 5000 claimed: 5000 requests, 4000 of them without details
 *   a later one of the same tool: 6000, newest 1000   → 2000 listed, 6000 claimed: 6000
 *   the first one again                               → nothing
 *   an older one: 3000, newest 1000                   → 3000 listed, 6000 claimed: 6000 still; 1000 of those that had none have details now
 *
 * Two tools that know one key by the same name and both dropped details are taken for one; files of tools that keep every detail (CLIProxyAPI)
 * are not concerned, as these are told apart one by one. What this gateway recorded itself is no part of a claim: see `claimOf`.
 *
 * Requests without details have no time of their own. A file tells how all of its requests lie by day, hour and outcome; those that it does not
 * list are the rest, and new ones among them are put where the file counts more than is held, the newest day first.
 */
import { type FileSeries, SPREAD_KINDS, type Spread, type StatsFile } from './stats-file.ts'
import type { Tallies } from './stats-file-checks.ts'

export interface Amount {
  requests: number
  tokens: number
}

/** What is held of an imported key and model. */
export interface Held {
  listed: Amount
  claimed: Amount
}

const FIELDS = ['requests', 'tokens'] as const

export function heldTotal({ listed, claimed }: Held): Amount {
  return { requests: Math.max(listed.requests, claimed.requests), tokens: Math.max(listed.tokens, claimed.tokens) }
}

/**
 * What a file claims beyond this gateway's own records of that key and model. They are part of it when the file knows any of them, or lists
 * nothing that would tell; otherwise somebody gave an old history the name of a key here.
 */
export function claimOf(file: FileSeries, own: Amount, isOurs: boolean): Amount {
  const sure = { requests: Math.max(file.requests, file.details), tokens: Math.max(file.tokens, file.detailTokens) }
  // A file that lists everything is told apart detail by detail.
  if (file.requests <= file.details) return { requests: 0, tokens: 0 }
  if (!isOurs && file.details > 0) return sure
  return { requests: Math.max(0, sure.requests - own.requests), tokens: Math.max(0, sure.tokens - own.tokens) }
}

/** How requests without details changed, over all keys and models. */
export interface Unlisted {
  /** New ones. */
  grown: Amount
  /** Those whose details have come. */
  shrunk: Amount
}

export function noteUnlisted(into: Unlisted, before: Held, after: Held): void {
  const [was, is] = [heldTotal(before), heldTotal(after)]
  for (const field of FIELDS) {
    const change = is[field] - after.listed[field] - (was[field] - before.listed[field])
    if (change > 0) into.grown[field] += change
    else into.shrunk[field] -= change
  }
}

export interface SpreadWish {
  /** Of the details that are new. */
  fresh: Spread
  unlisted: Unlisted
  file: Pick<StatsFile, 'stated' | 'listed'>
  held: Spread
}

/** By how much imported sums by day, hour and outcome grow. */
export function spreadChange({ fresh, unlisted, file, held }: SpreadWish): Spread {
  const change: Spread = { day: new Map(), hour: new Map(), outcome: new Map() }
  for (const kind of SPREAD_KINDS) {
    for (const field of FIELDS) {
      const added = amountsOf(fresh[kind], field)
      subtract(added, takeNewestFirst(unlisted.shrunk[field], added, added))
      const heldNow = amountsOf(held[kind], field)
      for (const [name, amount] of added) heldNow.set(name, (heldNow.get(name) ?? 0) + amount)
      const stated = amountsOf(file.stated[kind], field)
      const rest = new Map(stated)
      subtract(rest, amountsOf(file.listed[kind], field))
      const missing = new Map(stated)
      subtract(missing, heldNow)
      for (const [name, amount] of takeNewestFirst(unlisted.grown[field], rest, missing))
        added.set(name, (added.get(name) ?? 0) + amount)
      for (const [name, amount] of added) setAmount(change[kind], name, field, amount)
    }
  }
  return change
}

type Amounts = Map<string, number>

function amountsOf(tallies: Tallies, field: keyof Amount): Amounts {
  return new Map([...tallies].map(([name, tally]) => [name, tally[field]]))
}

/** Never below nothing. */
function subtract(from: Amounts, amounts: Amounts): void {
  for (const [name, amount] of from) from.set(name, Math.max(0, amount - (amounts.get(name) ?? 0)))
}

/** Takes an amount out of `from`, first where `first` has something too, the last name (the newest day) first. */
function takeNewestFirst(amount: number, from: Amounts, first: Amounts): Amounts {
  const taken: Amounts = new Map()
  const names = [...from.keys()].sort().reverse()
  let left = amount
  for (const limit of [first, from]) {
    for (const name of names) {
      const already = taken.get(name) ?? 0
      const most = Math.min(limit.get(name) ?? 0, from.get(name) ?? 0) - already
      const part = Math.min(left, Math.max(0, most))
      if (part === 0) continue
      taken.set(name, already + part)
      left -= part
    }
  }
  return taken
}

function setAmount(tallies: Tallies, name: string, field: keyof Amount, amount: number): void {
  if (amount === 0) return
  const tally = tallies.get(name) ?? { requests: 0, tokens: 0 }
  tally[field] = amount
  tallies.set(name, tally)
}
