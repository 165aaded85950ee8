import { describe, expect, test } from 'bun:test'
import type { Gate, GateState, Meter, Reading, UpstreamError } from '../../src/protocols/protocol.ts'
import { createTap, type Tap, type TapEnd, type TapInput } from '../../src/relay/tap.ts'
import { until } from '../support/until.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

/** An upstream body that the test plays by hand: each `send` resolves when the tap wants more. */
function scriptedBody() {
  let onChunk: ((chunk: Uint8Array) => Promise<unknown> | undefined) | null = null
  const done = Promise.withResolvers<void>()
  const body = {
    pipe(consume: (chunk: Uint8Array) => Promise<unknown> | undefined) {
      onChunk = consume
      return done.promise
    },
    bytes: async () => new Uint8Array(),
  }
  return {
    body,
    send: async (text: string) => await onChunk?.(bytes(text)),
    offer: (text: string) => onChunk?.(bytes(text)),
    end: () => done.resolve(),
    breakOff: (error: Error) => done.reject(error),
  }
}

/** Commits at the first chunk that says CONTENT, faults at one that says FAULT. */
function wordGate(): Gate {
  let error: UpstreamError | null = null
  let firstData = false
  return {
    push(chunk): GateState {
      const text = new TextDecoder().decode(chunk)
      if (text.includes('data')) firstData = true
      if (text.includes('FAULT')) error = { type: 'server_error', code: null, status: 500, message: text }
      return error ? 'fault' : text.includes('CONTENT') ? 'commit' : 'hold'
    },
    end: () => 'fault',
    get firstData() {
      return firstData
    },
    frames: 0,
    openingLength: 10,
    get error() {
      return error
    },
  }
}

function countingMeter(): Meter {
  let seen = 0
  return {
    push(chunk) {
      seen += chunk.length
    },
    read: () => ({}) as Reading,
    lead: () => '',
    get bytes() {
      return seen
    },
  }
}

function setUp(over: Partial<TapInput> = {}) {
  const upstream = scriptedBody()
  const ends: TapEnd[] = []
  const meter = countingMeter()
  let firstData = 0
  const tap = createTap({
    body: upstream.body,
    meter,
    gate: wordGate(),
    transform: null,
    commitWaitMs: 60_000,
    touch: () => undefined,
    onFirstData: () => firstData++,
    passFault: () => false,
    onEnd: (end) => {
      ends.push(end)
      return null
    },
    onClientGone: () => undefined,
    ...over,
  })
  return { upstream, tap, ends, meter, firstData: () => firstData }
}

/** What a client would receive. A Response reads a direct stream as Bun's server does. */
const received = (tap: Tap) => new Response(tap.readable()).text()

describe('the tap', () => {
  test('nothing goes out before the first content, then all that was held, unchanged (REL-11, REL-7)', async () => {
    const { upstream, tap, ends } = setUp()
    await upstream.send('data: hello\n\n')
    await upstream.send('data: CONTENT\n\n')
    expect(await tap.decided).toBe('commit')
    const text = received(tap)
    await upstream.send('data: more')
    upstream.end()
    expect(await text).toBe('data: hello\n\ndata: CONTENT\n\ndata: more')
    expect(ends).toEqual([{ how: 'end', error: null, clientGone: false }])
  })

  test('the client sees the end only when the record is where it must be; nothing else is held up (OPS-1, BIL-13)', async () => {
    const recorded = Promise.withResolvers<void>()
    const { upstream, tap, ends } = setUp({ recorded: () => recorded.promise })
    await upstream.send('data: CONTENT\n\n')
    await tap.decided
    const reader = (tap.readable() as ReadableStream<Uint8Array>).getReader()
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('data: CONTENT\n\n')
    let isOver = false
    const end = reader.read().then(({ done }) => {
      isOver = done
    })
    upstream.end()
    await until(() => ends.length === 1, { what: 'the end of the upstream' })
    await new Promise((resolve) => setImmediate(resolve))
    expect(isOver).toBe(false)
    recorded.resolve()
    await end
    expect(isOver).toBe(true)
    await tap.ended
  })

  test('an error before the first content is a fault, and nothing was sent (REL-11)', async () => {
    const { upstream, tap, ends } = setUp()
    await upstream.send('data: hello\n\n')
    await upstream.send('data: FAULT\n\n')
    expect(await tap.decided).toBe('fault')
    expect(tap.faultError?.status).toBe(500)
    expect(ends).toEqual([])
  })

  test('a stream that ends while held is a fault; the client’s own fault goes out as it stands (REL-11, REL-12)', async () => {
    const empty = setUp()
    empty.upstream.end()
    expect(await empty.tap.decided).toBe('fault')
    const own = setUp({ passFault: () => true })
    await own.upstream.send('data: FAULT\n\n')
    expect(await own.tap.decided).toBe('commit')
    const text = received(own.tap)
    own.upstream.end()
    expect(await text).toBe('data: FAULT\n\n')
  })

  test('a silent start is committed after the wait, and the first data is still noted (REL-9, REL-11)', async () => {
    const { upstream, tap, firstData } = setUp({ commitWaitMs: 1 })
    await upstream.send(': comment\n\n')
    expect(await tap.decided).toBe('commit')
    const text = received(tap)
    expect(firstData()).toBe(0)
    await upstream.send('data: x\n\n')
    expect(firstData()).toBe(1)
    await upstream.send('data: y\n\n')
    expect(firstData()).toBe(1)
    upstream.end()
    expect(await text).toBe(': comment\n\ndata: x\n\ndata: y\n\n')
  })

  test('what came before the content is told apart: it repeats the request, and is not charged as an answer (BIL-9)', async () => {
    const { upstream, tap } = setUp({ commitWaitMs: 1 })
    await upstream.send('data: hello\n\n')
    await tap.decided
    const text = received(tap)
    await upstream.send('data: hello again\n\n')
    expect(tap.contentBytes).toBe(0)
    await upstream.send('data: CONTENT\n\n')
    await upstream.send('data: more\n\n')
    upstream.end()
    expect(tap.contentBytes).toBe((await text).length - 10)
  })

  test('at most 1 MB is held (REL-11)', async () => {
    const { upstream, tap } = setUp()
    await upstream.send('x'.repeat(600_000))
    await upstream.send('x'.repeat(600_000))
    expect(await tap.decided).toBe('commit')
  })

  test('the upstream waits until the client has begun to read (REL-7)', async () => {
    const { upstream, tap } = setUp()
    await upstream.send('data: CONTENT\n\n')
    await tap.decided
    const waiting = upstream.offer('data: more\n\n')
    expect(waiting).toBeInstanceOf(Promise)
    const text = received(tap)
    await waiting
    upstream.end()
    expect(await text).toBe('data: CONTENT\n\ndata: more\n\n')
  })

  test('a stream that has ended before the client begins to read is settled then, once, and whole (REL-7, BIL-13)', async () => {
    const ends: TapEnd[] = []
    const onEnd = (end: TapEnd) => {
      ends.push(end)
      return new TextEncoder().encode('!')
    }
    const { upstream, tap } = setUp({ onEnd })
    await upstream.send('data: hello\n\ndata: CONTENT\n\n')
    await tap.decided
    upstream.end()
    await new Promise((resolve) => setImmediate(resolve))
    expect(ends).toEqual([])
    expect(await received(tap)).toBe('data: hello\n\ndata: CONTENT\n\n!')
    await tap.ended
    tap.clientLeft()
    expect(ends).toEqual([{ how: 'end', error: null, clientGone: false }])
  })

  test('a stream that broke before the client begins to read ends with the bytes that say so (REL-13)', async () => {
    const { upstream, tap } = setUp({ onEnd: ({ how }) => (how === 'broken' ? bytes('event: error\n\n') : null) })
    await upstream.send('data: CONTENT\n\n')
    await tap.decided
    upstream.breakOff(new Error('reset'))
    await new Promise((resolve) => setImmediate(resolve))
    expect(await received(tap)).toBe('data: CONTENT\n\nevent: error\n\n')
  })

  test('a stream that ended before the client begins to read ends for it when the record is where it must be (BIL-13)', async () => {
    const recorded = Promise.withResolvers<void>()
    const { upstream, tap, ends } = setUp({ recorded: () => recorded.promise })
    await upstream.send('data: CONTENT\n\n')
    await tap.decided
    upstream.end()
    await new Promise((resolve) => setImmediate(resolve))
    const reader = (tap.readable() as ReadableStream<Uint8Array>).getReader()
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('data: CONTENT\n\n')
    let isOver = false
    const end = reader.read().then(({ done }) => {
      isOver = done
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect({ settled: ends.length, isOver }).toEqual({ settled: 1, isOver: false })
    recorded.resolve()
    await end
    expect(isOver).toBe(true)
  })

  test('a client that leaves before it begins to read, after the upstream has ended, is settled as gone (REL-14)', async () => {
    const { upstream, tap, ends } = setUp()
    await upstream.send('data: CONTENT\n\n')
    await tap.decided
    upstream.end()
    await new Promise((resolve) => setImmediate(resolve))
    tap.clientLeft()
    await tap.ended
    expect(ends).toEqual([{ how: 'end', error: null, clientGone: true }])
  })

  test('a stream that breaks ends with the bytes that say so (REL-13)', async () => {
    const { upstream, tap } = setUp({
      onEnd: (end) => (end.how === 'broken' ? bytes('event: error\n\n') : null),
    })
    await upstream.send('data: CONTENT\n\n')
    await tap.decided
    const text = received(tap)
    upstream.breakOff(new Error('reset'))
    expect(await text).toBe('data: CONTENT\n\nevent: error\n\n')
  })

  test('after the client left, the rest is metered to its end and nobody is waited for (REL-14)', async () => {
    const { upstream, tap, ends, meter } = setUp()
    await upstream.send('data: CONTENT\n\n')
    await tap.decided
    tap.clientLeft()
    await upstream.send('data: more\n\n')
    upstream.end()
    await tap.ended
    expect(meter.bytes).toBe('data: CONTENT\n\ndata: more\n\n'.length)
    expect(ends).toEqual([{ how: 'end', error: null, clientGone: true }])
  })

  test('a client that leaves while the stream is held ends the hold (REL-14)', async () => {
    const { upstream, tap, ends } = setUp()
    await upstream.send('data: hello\n\n')
    tap.clientLeft()
    expect(await tap.decided).toBe('commit')
    upstream.end()
    await tap.ended
    expect(ends).toHaveLength(1)
  })

  test('keep-alives are written between events only (REL-15)', async () => {
    const { upstream, tap } = setUp()
    await upstream.send('data: CONTENT\n\n')
    await tap.decided
    const text = received(tap)
    await upstream.send('data: a\n\n')
    tap.keepAlive(bytes(': ping\n\n'))
    await upstream.send('data: half')
    tap.keepAlive(bytes(': ping\n\n'))
    await upstream.send(' done\r\n\r\n')
    tap.keepAlive(bytes(': ping\n\n'))
    upstream.end()
    expect(await text).toBe('data: CONTENT\n\ndata: a\n\n: ping\n\ndata: half done\r\n\r\n: ping\n\n')
  })
})
