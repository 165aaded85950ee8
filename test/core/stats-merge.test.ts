import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Spread } from '../../src/core/stats-file.ts'
import { claimOf, type Held, heldTotal, noteUnlisted, spreadChange, type Unlisted } from '../../src/core/stats-merge.ts'

const nothing = () => ({ requests: 0, tokens: 0 })
const newSpread = (): Spread => ({ day: new Map(), hour: new Map(), outcome: new Map() })

/** A tool that keeps its newest details only, seen through what its exports say. */
interface Export {
  /** Requests made so far, and how many of the newest are listed; each has 10 tokens. */
  made: number
  kept: number
}

/** Imports of one key and model in this order, as db/statistics-import.ts does them. */
function importAll(exports: readonly Export[], own = 0) {
  const listed = new Set<number>()
  let held: Held = { listed: nothing(), claimed: nothing() }
  const unlisted: Unlisted = { grown: nothing(), shrunk: nothing() }
  for (const { made, kept } of exports) {
    const first = Math.max(0, made - kept)
    for (let index = first; index < made; index++) listed.add(index)
    const details = made - first
    const amounts = { requests: made, tokens: made * 10, details, detailTokens: details * 10 }
    const claim = claimOf({ key: 'k', model: 'm', ...amounts }, { requests: own, tokens: own * 10 }, false)
    const after: Held = {
      listed: { requests: listed.size, tokens: listed.size * 10 },
      claimed: heldTotal({ listed: held.claimed, claimed: claim }),
    }
    noteUnlisted(unlisted, held, after)
    held = after
  }
  return { total: heldTotal(held), listed: held.listed, unlisted }
}

const exports = fc.array(fc.record({ made: fc.integer({ min: 0, max: 50 }), kept: fc.integer({ min: 1, max: 20 }) }), {
  minLength: 1,
  maxLength: 6,
})

describe('exports of one tool', () => {
  test('come to the largest total in any order, and again add nothing (USE-7)', () => {
    fc.assert(
      fc.property(exports, fc.infiniteStream(fc.nat()), (list, chances) => {
        const order = list.map((item) => ({ item, chance: chances.next().value as number }))
        const shuffled = order.toSorted((a, b) => a.chance - b.chance).map(({ item }) => item)
        const most = Math.max(...list.map(({ made }) => made))
        for (const some of [list, shuffled, [...list, ...shuffled]]) {
          const { total, listed, unlisted } = importAll(some)
          expect(total).toEqual({ requests: most, tokens: most * 10 })
          // What has no details is what grew without them, less what has got them since.
          expect(unlisted.grown.requests - unlisted.shrunk.requests).toBe(most - listed.requests)
          expect(unlisted.grown.tokens - unlisted.shrunk.tokens).toBe((most - listed.requests) * 10)
        }
      }),
    )
  })

  test('claim nothing beyond what this gateway recorded itself (USE-7)', () => {
    const file = { key: 'k', model: 'm', requests: 50, tokens: 500, details: 10, detailTokens: 100 }
    const own = { requests: 60, tokens: 600 }
    expect(claimOf(file, own, true)).toEqual(nothing())
    expect(claimOf(file, { requests: 20, tokens: 200 }, true)).toEqual({ requests: 30, tokens: 300 })
    expect(claimOf({ ...file, details: 0, detailTokens: 0 }, own, false)).toEqual(nothing())
    // Somebody else's history under the name of a key here.
    expect(claimOf(file, own, false)).toEqual({ requests: 50, tokens: 500 })
  })

  test('that list everything claim nothing: two of them add up (USE-7)', () => {
    const file = { key: 'k', model: 'm', requests: 10, tokens: 100, details: 10, detailTokens: 100 }
    expect(claimOf(file, nothing(), false)).toEqual(nothing())
    expect(claimOf({ ...file, requests: 0, tokens: 0 }, nothing(), false)).toEqual(nothing())
  })
})

describe('requests without details', () => {
  const counts = fc.dictionary(
    fc.constantFrom('2026-07-01', '2026-07-02', '2026-07-03'),
    fc.integer({ min: 1, max: 9 }),
    {
      minKeys: 1,
    },
  )
  const tallies = (names: Record<string, number>) =>
    new Map(Object.entries(names).map(([name, requests]) => [name, { requests, tokens: requests * 10 }]))
  const sum = (spread: Spread) => [...spread.day.values()].reduce((total, { requests }) => total + requests, 0)

  test('are put on days where the file has some, never more than there are, and all of them (USE-7)', () => {
    fc.assert(
      fc.property(counts, counts, counts, (listed, more, held) => {
        const stated = Object.fromEntries(
          Object.keys({ ...listed, ...more }).map((name) => [name, (listed[name] ?? 0) + (more[name] ?? 0)]),
        )
        const amount = Object.values(more).reduce((total, one) => total + one, 0)
        const fresh = { ...newSpread(), day: tallies(listed) }
        const wish = {
          fresh,
          unlisted: { grown: { requests: amount, tokens: amount * 10 }, shrunk: nothing() },
          file: { stated: { ...newSpread(), day: tallies(stated) }, listed: fresh },
          held: { ...newSpread(), day: tallies(held) },
        }
        expect(spreadChange(wish).day).toEqual(tallies(stated))
        const fewer = { ...wish, unlisted: { grown: { requests: 1, tokens: 10 }, shrunk: nothing() } }
        expect(sum(spreadChange(fewer))).toBe(sum(fresh) + 1)
      }),
    )
  })

  test('that get their details are counted on their days once (USE-7)', () => {
    const fresh = { ...newSpread(), day: tallies({ '2026-07-01': 4, '2026-07-02': 1 }) }
    const wish = { fresh, file: { stated: newSpread(), listed: fresh }, held: newSpread() }
    const change = spreadChange({ ...wish, unlisted: { grown: nothing(), shrunk: { requests: 5, tokens: 50 } } })
    expect(change.day).toEqual(new Map())
    const some = spreadChange({ ...wish, unlisted: { grown: nothing(), shrunk: { requests: 2, tokens: 20 } } })
    expect(sum(some)).toBe(3)
  })
})
