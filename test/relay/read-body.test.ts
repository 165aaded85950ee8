import { describe, expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import { isDenial } from '../../src/core/denial.ts'
import { createByteBudget } from '../../src/lib/byte-budget.ts'
import type { Exchange } from '../../src/relay/exchange.ts'
import { readBody } from '../../src/relay/read-body.ts'
import { until } from '../support/until.ts'

const KB = 1024
const MB = 1024 * KB

function reader(budgetBytes: number, maxBodyBytes = 8 * MB) {
  const timeouts: (() => void)[] = []
  const bodies = createByteBudget({
    mostBytes: budgetBytes,
    patienceMs: 1000,
    schedule(_, call) {
      timeouts.push(call)
      return () => timeouts.splice(timeouts.indexOf(call), 1)
    },
  })
  function read(body: Uint8Array | ReadableStream<Uint8Array>, headers: Record<string, string> = {}) {
    const declared = body instanceof Uint8Array ? { 'content-length': String(body.length) } : {}
    const init = { method: 'POST', body, headers: { ...declared, ...headers }, duplex: 'half' }
    const exchange = { call: { request: new Request('http://g/', init as RequestInit) }, heldBytes: 0 } as Exchange
    const result = readBody({ settings: { maxBodyBytes }, bodies }, exchange)
    return { exchange, result }
  }
  return { bodies, read, runOut: () => timeouts.splice(0).map((call) => call()) }
}

/** A body without a length, of so many chunks; `pulled` tells how many were asked for. */
function chunked(count: number, chunk = new Uint8Array(64 * KB).fill(120)) {
  const state = { pulled: 0, cancelled: false }
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (state.pulled === count) controller.close()
        else {
          state.pulled++
          controller.enqueue(chunk)
        }
      },
      cancel() {
        state.cancelled = true
      },
    },
    { highWaterMark: 0 },
  )
  return { stream, state }
}

const codeOf = async (result: unknown) => {
  const found = (await result) as object
  return isDenial(found) ? found.code : 'read'
}

describe('the budget of all request bodies (OPS-11, REL-16)', () => {
  test('what is read is held, whichever way it comes, to the byte (OPS-11)', async () => {
    const { bodies, read } = reader(100 * MB)
    const bytes = (size: number) => new Uint8Array(size).map((_, index) => index % 251)
    for (const size of [0, 1, 64 * KB, 64 * KB + 1, MB, MB + 1, 3 * MB]) {
      const { exchange, result } = read(bytes(size))
      expect([size, Buffer.from((await result) as Uint8Array).equals(Buffer.from(bytes(size)))]).toEqual([size, true])
      expect([size, exchange.heldBytes, bodies.held]).toEqual([size, size, size])
      bodies.give(exchange.heldBytes)
    }
    const { exchange, result } = read(chunked(5).stream)
    expect(((await result) as Uint8Array).length).toBe(5 * 64 * KB)
    expect([exchange.heldBytes, bodies.held]).toEqual([5 * 64 * KB, 5 * 64 * KB])
  })

  test('a large one waits for room and then goes on; after a while it is a 503 that says when to come again (OPS-11)', async () => {
    const { bodies, read, runOut } = reader(MB)
    bodies.force(MB)
    const patient = read(new Uint8Array(500 * KB))
    expect(bodies.waiting).toBe(1)
    bodies.give(MB)
    expect(await codeOf(patient.result)).toBe('read')
    const late = read(new Uint8Array(600 * KB))
    runOut()
    expect(await late.result).toMatchObject({ code: 'request_memory_full', retryAfterSeconds: 2 })
    expect([late.exchange.heldBytes, bodies.held]).toEqual([0, 500 * KB])
  })

  test('small ones go ahead when memory is full (OPS-11)', async () => {
    const { bodies, read } = reader(MB)
    bodies.force(MB)
    expect(await codeOf(read(new Uint8Array(64 * KB)).result)).toBe('read')
    expect(await codeOf(read(chunked(1, new Uint8Array(10 * KB)).stream).result)).toBe('read')
    expect(bodies.waiting).toBe(0)
  })

  test('while a body waits nothing more of it is read, and a refused one is let go of (OPS-11)', async () => {
    const { bodies, read, runOut } = reader(MB)
    bodies.force(MB - 100 * KB)
    const { stream, state } = chunked(1000)
    const { result, exchange } = read(stream)
    await until(() => bodies.waiting === 1, { what: 'a body that waits' })
    expect(state.pulled).toBe(2)
    runOut()
    expect(await codeOf(result)).toBe('request_memory_full')
    expect([state.cancelled, state.pulled]).toEqual([true, 2])
    bodies.give(exchange.heldBytes)
    expect(bodies.held).toBe(MB - 100 * KB)
  })

  test('a large body that is announced and does not come holds nothing (OPS-11)', async () => {
    const { bodies, read } = reader(MB)
    const silent = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => undefined) })
    void read(silent, { 'content-length': String(8 * MB) }).result
    await Promise.resolve()
    expect(bodies.held).toBe(0)
    expect(await codeOf(read(new Uint8Array(MB)).result)).toBe('read')
  })

  test('room is taken before anything is unpacked, and only what came out is kept (OPS-11, REL-16)', async () => {
    const { bodies, read, runOut } = reader(10 * MB)
    const plain = Buffer.alloc(6 * MB, 'abcdefgh ')
    const packed = gzipSync(plain)
    const { result, exchange } = read(packed, { 'content-encoding': 'gzip' })
    expect(Buffer.from((await result) as Uint8Array).equals(plain)).toBe(true)
    expect(exchange.heldBytes).toBe(packed.length + plain.length)
    expect(bodies.held).toBe(exchange.heldBytes)
    // Two of them don't fit: the second is refused before it is unpacked.
    const second = read(packed, { 'content-encoding': 'gzip' })
    await until(() => bodies.waiting === 1, { what: 'a body that waits to be unpacked' })
    runOut()
    expect(await codeOf(second.result)).toBe('request_memory_full')
    bodies.give(exchange.heldBytes + second.exchange.heldBytes)
    expect(bodies.held).toBe(0)
  })

  test('a wrong encoding and too much of it give everything back but what was sent (REL-16)', async () => {
    const { bodies, read } = reader(100 * MB)
    const bomb = gzipSync(Buffer.alloc(9 * MB))
    const cases: [Uint8Array, string, string][] = [
      [bomb, 'gzip', 'body_too_large'],
      [Buffer.from('no gzip'), 'gzip', 'invalid_encoding'],
      [Buffer.from('{}'), 'rot13', 'invalid_encoding'],
    ]
    for (const [body, encoding, code] of cases) {
      const { result, exchange } = read(body, { 'content-encoding': encoding })
      expect(await codeOf(result)).toBe(code)
      expect([bodies.held, exchange.heldBytes]).toEqual([body.length, body.length])
      bodies.give(exchange.heldBytes)
    }
    const same = read(Buffer.from('{}'), { 'content-encoding': 'identity' })
    expect(await codeOf(same.result)).toBe('read')
    expect(bodies.held).toBe(2)
  })
})
