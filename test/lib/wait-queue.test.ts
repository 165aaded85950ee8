import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createWaitQueue, scheduleTimeout, type WaitEnd } from '../../src/lib/wait-queue.ts'

/** Timers that fire when the test says so. */
function manualTimers() {
  const timers = new Map<() => void, number>()
  let nowMs = 0
  return {
    schedule(afterMs: number, call: () => void) {
      timers.set(call, nowMs + afterMs)
      return () => void timers.delete(call)
    },
    advance(ms: number) {
      nowMs += ms
      for (const [call, atMs] of timers) {
        if (atMs > nowMs) continue
        timers.delete(call)
        call()
      }
    },
    get size() {
      return timers.size
    },
  }
}

/** Slots that waiters wait for. */
function setUp(most = 100) {
  const timers = manualTimers()
  const queue = createWaitQueue({ most, schedule: timers.schedule })
  const slots = { free: 0 }
  const served: string[] = []
  const wait = (lane: string, name = lane, timeoutMs = 1000) => {
    const attempt = () => {
      if (slots.free === 0) return null
      slots.free--
      served.push(name)
      return name
    }
    return queue.wait({ lane, timeoutMs, attempt })
  }
  const release = () => {
    slots.free++
    return queue.offer()
  }
  return { timers, queue, slots, served, wait, release }
}

describe('wait queue (ACC-7)', () => {
  test('first come, first served, and each with its value', async () => {
    const { wait, release, served } = setUp()
    const waiting = ['a', 'b', 'c'].map((name) => wait('lane', name))
    for (const one of waiting) {
      expect(release()).toBe(true)
      expect(await one?.end).toMatchObject({ kind: 'served' })
    }
    expect(served).toEqual(['a', 'b', 'c'])
  })

  test('lanes take turns: a key with many waiting does not starve one with few', () => {
    const { wait, release, served } = setUp()
    for (let index = 0; index < 5; index++) wait('greedy', `greedy-${index}`)
    wait('modest')
    wait('shy')
    for (let index = 0; index < 7; index++) release()
    expect(served).toEqual(['greedy-0', 'modest', 'shy', 'greedy-1', 'greedy-2', 'greedy-3', 'greedy-4'])
  })

  test('who can not use what is offered is passed over and keeps its place', () => {
    const { queue } = setUp()
    const served: string[] = []
    const waiter = (lane: string, wants: string) => {
      const attempt = () => (wants === offered ? served.push(lane) : null)
      queue.wait({ lane, timeoutMs: 1000, attempt })
    }
    let offered = ''
    const offer = (what: string) => {
      offered = what
      return queue.offer()
    }
    waiter('a', 'gpt')
    waiter('b', 'claude')
    expect(offer('gemini')).toBe(false)
    expect(offer('claude')).toBe(true)
    expect(offer('gpt')).toBe(true)
    expect(served).toEqual(['b', 'a'])
    expect(queue.size).toBe(0)
  })

  test('it is bounded: beyond that nobody waits', () => {
    const { wait, release } = setUp(2)
    expect([wait('a'), wait('b'), wait('c')].map(Boolean)).toEqual([true, true, false])
    release()
    expect(wait('c')).not.toBeNull()
  })

  test('a wait ends at its time, and what is offered later goes to the next', async () => {
    const { wait, release, timers, served, queue } = setUp()
    const short = wait('a', 'short', 500)
    const long = wait('a', 'long', 1500)
    timers.advance(499)
    expect(queue.size).toBe(2)
    timers.advance(1)
    expect(await short?.end).toEqual({ kind: 'timeout' })
    release()
    expect(await long?.end).toEqual({ kind: 'served', value: 'long' })
    expect(served).toEqual(['long'])
    expect(timers.size).toBe(0)
  })

  test('who leaves is not served, and leaving afterwards changes nothing', async () => {
    const { wait, release, timers, slots } = setUp()
    const gone = wait('a')
    const stays = wait('b')
    gone?.leave()
    release()
    stays?.leave()
    expect(await gone?.end).toEqual({ kind: 'left' })
    expect(await stays?.end).toEqual({ kind: 'served', value: 'b' })
    expect([timers.size, slots.free]).toEqual([0, 0])
  })

  test('whatever happens, each wait ends once, no slot is lost, and none is idle while somebody waits', async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('wait' as const),
        lane: fc.constantFrom('a', 'b', 'c'),
        timeoutMs: fc.integer({ min: 1, max: 50 }),
      }),
      fc.record({ kind: fc.constant('release' as const) }),
      fc.record({ kind: fc.constant('leave' as const), which: fc.nat(20) }),
      fc.record({ kind: fc.constant('advance' as const), ms: fc.nat(20) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
        const { wait, release, timers, queue, slots, served } = setUp(5)
        const waiting: { end: Promise<WaitEnd<string>>; leave(): void }[] = []
        let released = 0
        for (const [index, item] of steps.entries()) {
          if (item.kind === 'wait' && slots.free === 0) {
            const one = wait(item.lane, `${index}`, item.timeoutMs)
            expect(one === null).toBe(queue.size === 5 && one === null)
            if (one) waiting.push(one)
          } else if (item.kind === 'release') {
            released++
            release()
          } else if (item.kind === 'leave') waiting[item.which]?.leave()
          else if (item.kind === 'advance') timers.advance(item.ms)
          expect(queue.size === 0 || slots.free === 0).toBe(true)
          expect(queue.size).toBeLessThanOrEqual(5)
          expect(timers.size).toBe(queue.size)
        }
        timers.advance(1000)
        const ends = await Promise.all(waiting.map((one) => one.end))
        expect(ends.filter(({ kind }) => kind === 'served')).toHaveLength(served.length)
        expect(released).toBe(served.length + slots.free)
        expect(queue.size).toBe(0)
      }),
    )
  })

  test('with real timers a wait ends by itself', async () => {
    const queue = createWaitQueue({ most: 1, schedule: scheduleTimeout })
    const waiting = queue.wait({ lane: 'a', timeoutMs: 1, attempt: () => null })
    expect(await waiting?.end).toEqual({ kind: 'timeout' })
  })
})

describe('waiting for what has to be asked for elsewhere (ACC-7, OPS-4)', () => {
  /** Attempts whose answers the test gives. */
  function asking(timers = manualTimers()) {
    const queue = createWaitQueue({ most: 10, schedule: timers.schedule })
    const answers: ((value: string | null) => void)[] = []
    const asked: string[] = []
    const wait = (name: string) => {
      let isFirst = true
      const attempt = () => {
        // Nothing is there when it joins.
        if (isFirst) {
          isFirst = false
          return null
        }
        asked.push(name)
        const { promise, resolve } = Promise.withResolvers<string | null>()
        answers.push((value) => resolve(value))
        return promise
      }
      return queue.wait({ lane: 'lane', timeoutMs: 1000, attempt })
    }
    return { timers, queue, answers, asked, wait }
  }

  test('who was told “no” has kept its place before those who came later', async () => {
    const { queue, answers, asked, wait } = asking()
    const [first] = [wait('first'), wait('second')]
    queue.offer()
    answers[0]?.(null)
    await Promise.resolve()
    queue.offer()
    answers[1]?.('slot')
    expect(await first?.end).toEqual({ kind: 'served', value: 'slot' })
    expect(asked).toEqual(['first', 'first'])
  })

  test('while one asks, the next offer goes to the next', () => {
    const { queue, asked, wait } = asking()
    wait('first')
    wait('second')
    expect([queue.offer(), queue.offer(), queue.offer()]).toEqual([true, true, false])
    expect(asked).toEqual(['first', 'second'])
  })

  test('who was passed over because it asked, and is told “no”, asks again', async () => {
    const { queue, answers, asked, wait } = asking()
    const only = wait('only')
    queue.offer()
    expect(queue.offer()).toBe(false)
    answers[0]?.(null)
    await Promise.resolve()
    expect(asked).toEqual(['only', 'only'])
    answers[1]?.('slot')
    expect(await only?.end).toMatchObject({ kind: 'served' })
  })

  test('who runs out of time, or leaves, while it asks is still given what it asked for: nothing is lost', async () => {
    const { timers, queue, answers, wait } = asking()
    const late = wait('late')
    const leaving = wait('leaving')
    queue.offer()
    queue.offer()
    timers.advance(1000)
    leaving?.leave()
    answers[0]?.('slot')
    answers[1]?.(null)
    expect(await late?.end).toEqual({ kind: 'served', value: 'slot' })
    expect(await leaving?.end).toMatchObject({ kind: 'timeout' })
    expect([queue.size, timers.size]).toEqual([0, 0])
  })

  test('what was given back while somebody was joining is found at once', async () => {
    const queue = createWaitQueue({ most: 10, schedule: () => () => undefined })
    expect(await queue.wait({ lane: 'lane', timeoutMs: 1000, attempt: () => 'slot' })?.end).toMatchObject({
      kind: 'served',
    })
    expect(queue.size).toBe(0)
  })

  test('its bound may change: fewer may join, those who wait stay (ACC-7)', () => {
    const { queue, wait } = setUp(1)
    expect([wait('a'), wait('b')]).toEqual([expect.anything(), null])
    queue.resize(2)
    expect(wait('b')).not.toBeNull()
    queue.resize(0)
    expect([wait('c'), queue.size]).toEqual([null, 2])
  })

  test('an attempt that leads to an offer does not take twice', () => {
    const queue = createWaitQueue({ most: 10, schedule: () => () => undefined })
    let taken = 0
    const attempt = () => {
      taken++
      queue.offer()
      return 'slot'
    }
    queue.wait({ lane: 'lane', timeoutMs: 1000, attempt })
    expect(taken).toBe(1)
  })
})
