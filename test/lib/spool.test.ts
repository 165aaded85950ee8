import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createJournal, type Journal } from '../../src/lib/journal.ts'
import { createSpool, type SpoolOptions } from '../../src/lib/spool.ts'
import { temporaryFolders } from '../support/folder.ts'
import { until } from '../support/until.ts'

const newFolder = temporaryFolders()

/** A spool of numbers over a real journal whose disk and whose writer can be taken away. */
function setUp(options: Partial<SpoolOptions<number>> = {}) {
  const directory = newFolder()
  const real = createJournal({ directory, segmentBytes: 300, syncMs: 1 })
  const state = { hasRoom: true, writerIsUp: true, parsed: 0, nowMs: 1000, damaged: 0 }
  const journal: Journal = {
    append: (text) => state.hasRoom && real.append(text),
    synced: real.synced,
    read: real.read,
    release: real.release,
    close: real.close,
    get end() {
      return real.end
    },
    get bytes() {
      return real.bytes
    },
    get fault() {
      return state.hasRoom ? null : 'no space left on device'
    },
  }
  const written: number[][] = []
  const failures: number[] = []
  const spool = createSpool<number>({
    journal,
    parse(text) {
      state.parsed++
      return Number(text)
    },
    timeOf: (item) => item,
    async write(items) {
      await Promise.resolve()
      if (!state.writerIsUp) throw new Error('the database is away')
      for (const { text, item } of items) expect(Number(text)).toBe(item)
      written.push(items.map(({ item }) => item))
    },
    mostItems: 5,
    everyMs: 1,
    longestPauseMs: 2,
    mostBytes: 1_000_000,
    recentItems: 10,
    looseItems: 20,
    nowMs: () => state.nowMs,
    onFailure: (_error, backlog) => failures.push(backlog),
    onDamage: (bytes) => {
      state.damaged += bytes
    },
    ...options,
  })
  const add = (item: number) => spool.add(String(item), item)
  return { spool, add, state, written, failures, journal, directory }
}

const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index)

describe('a spool', () => {
  test('writes every item once, in order, in batches of at most the given size (USE-9)', async () => {
    const { spool, add, written, journal, state } = setUp()
    for (const item of upTo(8)) expect(add(item)).toBe(true)
    await spool.flush()
    expect(written).toEqual([upTo(5), upTo(3, 5)])
    expect([spool.backlog, journal.bytes, state.parsed]).toEqual([0, 0, 0])
  })

  test('what waits beyond what is kept at hand waits on the disk alone, and is written in order (OPS-5)', async () => {
    const { spool, add, state, written } = setUp()
    state.writerIsUp = false
    for (const item of upTo(100)) add(item)
    await spool.flush()
    expect([spool.backlog, spool.loose]).toEqual([100, 0])
    state.writerIsUp = true
    await spool.flush()
    expect(written.flat()).toEqual(upTo(100))
    expect(state.parsed).toBe(90)
    add(100)
    await spool.flush()
    expect(written.flat()).toEqual(upTo(101))
    expect(state.parsed).toBe(90)
  })

  test('a failed write comes again after a pause, by itself; nothing is dropped or doubled (USE-9)', async () => {
    const { spool, add, state, written, failures } = setUp()
    state.writerIsUp = false
    add(1)
    await until(() => failures.length >= 3, { what: 'three failures' })
    expect(spool.failures).toBeGreaterThanOrEqual(3)
    state.writerIsUp = true
    await until(() => spool.backlog === 0, { what: 'the write' })
    expect(written).toEqual([[1]])
    expect(spool.failures).toBe(0)
  })

  test('without room on the disk items wait in memory, and go to the journal as soon as it has room (OPS-1)', async () => {
    const { spool, add, state, directory, written } = setUp({
      mostItems: 100,
      everyMs: 100_000,
      longestPauseMs: 100_000,
    })
    add(0)
    state.hasRoom = false
    for (const item of upTo(3, 1)) expect(add(item)).toBe(true)
    expect([spool.loose, spool.isFull, spool.looseTexts()]).toEqual([3, true, ['1', '2', '3']])
    state.hasRoom = true
    add(4)
    expect([spool.loose, spool.isFull]).toEqual([0, false])
    const next = createJournal({ directory, segmentBytes: 300, syncMs: 1 })
    expect((await next.read(0, 100)).texts).toEqual(['0', '1', '2', '3', '4'])
    await spool.flush()
    expect(written.flat()).toEqual(upTo(5))
  })

  test('memory is bounded: what finds room nowhere is refused and counted (OPS-1)', async () => {
    const { spool, add, state, written } = setUp({ everyMs: 100_000, longestPauseMs: 100_000 })
    state.hasRoom = false
    const taken = upTo(50).filter(add)
    expect([taken.length, spool.dropped, spool.backlog]).toEqual([20, 30, 20])
    await spool.flush()
    expect(written.flat()).toEqual(taken)
    expect([spool.backlog, spool.loose]).toEqual([0, 0])
  })

  test('a journal near its bound says that it is full while there is still room for what is under way (OPS-1)', () => {
    const { spool, add, state } = setUp({ mostBytes: 1000, everyMs: 100_000 })
    state.writerIsUp = false
    let item = 0
    while (!spool.isFull) add(item++)
    expect(spool.loose).toBe(0)
    add(item++)
    expect(spool.loose).toBe(0)
    while (spool.loose === 0) add(item++)
    expect(item).toBeLessThanOrEqual(1 + 1000 / 13)
  })

  test('says since when the oldest waits, also when it is on the disk alone (USE-9)', async () => {
    const { spool, add, state } = setUp({ everyMs: 100_000, longestPauseMs: 100_000 })
    expect(spool.waitingSinceMs).toBeNull()
    for (const item of upTo(20, 5000)) {
      state.nowMs = item
      add(item)
    }
    expect(spool.waitingSinceMs).toBe(5000)
    await spool.flush()
    expect(spool.waitingSinceMs).toBeNull()
  })

  test('closing writes what waits; with the writer away the journal keeps it, and closing does not wait for ever (OPS-2)', async () => {
    const { spool, add, written, state, directory } = setUp({ everyMs: 100_000 })
    add(1)
    await spool.close(1000)
    expect(written).toEqual([[1]])
    const away = setUp({ everyMs: 100_000, write: () => new Promise(() => {}) })
    away.add(7)
    await away.spool.close(5)
    expect(away.spool.backlog).toBe(1)
    const next = createJournal({ directory: away.directory, segmentBytes: 300, syncMs: 1 })
    expect((await next.read(0, 10)).texts).toEqual(['7'])
    expect([state.parsed, directory === away.directory]).toEqual([0, false])
  })

  test('whatever fails in whatever order, each item taken is written, first writes are in order, memory stays bounded (OPS-1, USE-9)', async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constant('add' as const), count: fc.integer({ min: 1, max: 12 }) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('startFlush' as const) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('disk' as const), on: fc.boolean() }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('writer' as const), on: fc.boolean() }) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { spool, add, state, written } = setUp({ everyMs: 100_000, longestPauseMs: 100_000 })
        const taken: number[] = []
        let next = 0
        for (const action of steps) {
          if (action.do === 'add') for (let left = action.count; left > 0; left--) if (add(next++)) taken.push(next - 1)
          if (action.do === 'flush') await spool.flush()
          if (action.do === 'startFlush') void spool.flush()
          if (action.do === 'disk') state.hasRoom = action.on
          if (action.do === 'writer') state.writerIsUp = action.on
          expect(spool.loose).toBeLessThanOrEqual(20)
        }
        state.hasRoom = true
        state.writerIsUp = true
        await spool.flush()
        await spool.flush()
        expect([...new Set(written.flat())]).toEqual(taken)
        expect([spool.backlog, spool.loose, spool.waitingSinceMs]).toEqual([0, 0, null])
        expect(taken.length + spool.dropped).toBe(next)
      }),
      { numRuns: 150 },
    )
  })
})
