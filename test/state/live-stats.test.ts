import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { snapshotText } from '../../src/admin/statistics-text.ts'
import { createOrigins } from '../../src/core/packed-detail.ts'
import type { Detail } from '../../src/core/stats.ts'
import { createDetailRing, detailsOf } from '../../src/state/detail-ring.ts'
import { createLiveStats } from '../../src/state/live-stats.ts'
import { OTHER_MODELS } from '../../src/state/stat-series.ts'
import { totalOf } from '../../src/state/stat-sums.ts'
import { makeReceipt, NOON } from '../support/receipts.ts'

function makeDetail(index: number, total = index): Detail {
  const tokens = { input: index, output: 1, reasoning: 2, cached: 3, total }
  return {
    seconds: 1000 + index,
    nanos: index,
    source: `s${index % 3}`,
    authIndex: `a${index % 2}`,
    failed: index % 2 === 0,
    tokens,
  }
}

describe('a ring of details', () => {
  test('keeps the newest, whole, in order, and a view shows what was there when it was taken (USE-5, USE-7)', () => {
    const step = fc.oneof(
      fc.constantFrom('push', 'view'),
      fc.constant('wide'),
      fc.integer({ min: 0, max: 12 }).map((count) => ['replace', count] as const),
    )
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.array(step, { maxLength: 60 }), (most, steps) => {
        const ring = createDetailRing(most, createOrigins())
        let model: Detail[] = []
        const views: [ReturnType<typeof ring.view>, Detail[]][] = []
        let made = 0
        for (const what of steps) {
          if (what === 'view') views.push([ring.view(), model])
          else if (typeof what === 'string') {
            const detail = makeDetail(made++, what === 'wide' ? Number.MAX_SAFE_INTEGER - made : 0xffff_ffff)
            ring.push(detail)
            model = [...model, detail].slice(-most)
          } else {
            const details = Array.from({ length: what[1] }, () => makeDetail(made++))
            ring.replace(details)
            model = details.slice(-most)
          }
          expect(detailsOf(ring.view())).toEqual(model)
        }
        for (const [view, then] of views) expect(detailsOf(view)).toEqual(then)
      }),
    )
  })
})

describe('live statistics', () => {
  const options = { timeZone: 'UTC', mostDetails: 3 }
  const textOf = (frozen: ReturnType<ReturnType<typeof createLiveStats>['freeze']>) =>
    [...snapshotText(frozen, null)].join('')

  test('frozen are not torn by what is recorded while they are written (USE-7)', () => {
    const stats = createLiveStats(options)
    for (let made = 0; made < 5; made++) stats.record(makeReceipt({ keyId: `k${made % 2}`, createdAtMs: NOON + made }))
    const before = textOf(stats.freeze(true))
    const frozen = stats.freeze(true)
    const pieces = snapshotText(frozen, null)
    let text = ''
    for (let piece = pieces.next(); !piece.done; piece = pieces.next()) {
      text += piece.value
      for (const key of ['k0', 'k1', 'new']) stats.record(makeReceipt({ keyId: key, createdAtMs: NOON + 86_400_000 }))
    }
    expect(text).toBe(before)
    expect(JSON.parse(textOf(stats.freeze(true))).total_requests).toBeGreaterThan(5)
  })

  test('are exact beyond what a number holds (USE-5)', () => {
    const stats = createLiveStats(options)
    const most = Number.MAX_SAFE_INTEGER
    const rebase = stats.rebase()
    rebase.mark()
    const huge = { requests: 2n ** 60n, tokens: 2n ** 62n + 1n }
    rebase.finish(
      { series: [{ key: 'k', model: 'm', ...huge }], days: [{ name: '2026-07-24', ...huge }], hours: [], failures: 1n },
      new Set(),
    )
    for (let made = 0; made < 100; made++) stats.record(makeReceipt({ keyId: 'k', model: 'm', usage: { input: most } }))
    const frozen = stats.freeze(false)
    const tokens = 2n ** 62n + 1n + 100n * BigInt(most)
    const { requests, tokens: summed } = totalOf(frozen.keys[0]!.models[0]!.sum)
    expect([requests, summed, frozen.days[0]?.tokens]).toEqual([2n ** 60n + 100n, tokens, tokens])
    expect(textOf(frozen)).toContain(`"total_tokens":${tokens}`)
  })

  test('give an empty model and a missing key their names, and what the database would store (USE-6)', () => {
    const stats = createLiveStats(options)
    const names = ['', 'x'.repeat(300), 'a\0b', 'a\ud800b']
    for (const model of names) stats.record(makeReceipt({ keyId: null, endpoint: '/v1/messages', model }))
    const [only] = stats.freeze(false).keys
    expect(only?.key).toBe('POST /v1/messages')
    expect(only?.models.map(({ model }) => model)).toEqual(['unknown', 'x'.repeat(256), 'ab', 'a\ufffdb'])
  })

  test('count failures by status and by mark (USE-6)', () => {
    const stats = createLiveStats(options)
    const endings = [
      ['completed', 200],
      ['failed', 200],
      ['completed', 400],
      ['cancelled', 200],
      ['cancelled', 499],
      ['failed', null],
    ] as const
    for (const [status, httpStatus] of endings) stats.record(makeReceipt({ status, httpStatus }))
    expect(stats.freeze(false).failures).toBe(4n)
  })

  test('of clients who make up model names stay bounded, and their sums whole (USE-5)', () => {
    const stats = createLiveStats({ ...options, mostSeries: 5 })
    for (let made = 0; made < 100; made++)
      stats.record(makeReceipt({ keyId: 'k', model: `made-up-${made}`, usage: { input: 1 } }))
    const [only] = stats.freeze(true).keys
    expect(only?.models).toHaveLength(6)
    const others = only!.models.find(({ model }) => model === OTHER_MODELS)!
    expect(totalOf(others.sum)).toEqual({ requests: 95n, tokens: 95n })
  })

  test('with a newer base count each receipt once, whenever it was written (USE-8)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('written before', 'in the snapshot', 'not in it', 'during', 'after'), {
          maxLength: 20,
        }),
        (fates) => {
          const stats = createLiveStats(options)
          const made = fates.map((fate) => ({
            fate,
            receipt: makeReceipt({ keyId: 'k', model: 'm', usage: { input: 1 } }),
          }))
          const of = (...wanted: string[]) =>
            made.filter(({ fate }) => wanted.includes(fate)).map(({ receipt }) => receipt)
          for (const receipt of of('written before', 'in the snapshot', 'not in it')) stats.record(receipt)
          stats.flushed(of('written before'))
          const rebase = stats.rebase()
          const asked = rebase.mark()
          for (const receipt of of('during')) stats.record(receipt)
          const held = of('in the snapshot').map(({ id }) => id)
          expect(held.every((id) => asked.includes(id))).toBe(true)
          const inBase = BigInt(of('written before', 'in the snapshot').length)
          const series = [{ key: 'k', model: 'm', requests: inBase, tokens: inBase }]
          rebase.finish({ series, days: [], hours: [], failures: 0n }, new Set(held))
          for (const receipt of of('after')) stats.record(receipt)
          const total = JSON.parse(textOf(stats.freeze(false)))
          expect([total.total_requests, total.total_tokens]).toEqual([made.length, made.length])
        },
      ),
    )
  })
})
