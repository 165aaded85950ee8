/**
 * Streams cut at every byte, by the upstream and by the client (BIL-9): the charge is never below what was measured, never above the price of
 * the whole, and the record says truly how it is known. What is charged is what the counters hold, to the nanodollar (BIL-8).
 */
import { describe, expect, test } from 'bun:test'
import { computeCosts } from '../../src/core/cost.ts'
import { estimateRelayedTokens, estimateTokens } from '../../src/core/estimate.ts'
import { fundsCounter, keyCounter } from '../../src/core/key-limits.ts'
import type { Receipt } from '../../src/core/receipt.ts'
import { NO_USAGE, totalTokens, type Usage } from '../../src/core/usage.ts'
import { OPERATIONS } from '../../src/protocols/operations.ts'
import type { Reading } from '../../src/protocols/protocol.ts'
import { PROTOCOLS } from '../../src/protocols/table.ts'
import { CUT_CASES, type CutCase } from '../support/long-dialects.ts'
import { makeKey } from '../support/make.ts'
import { RECORDED, recorded } from '../support/recorded.ts'
import { createTestRelay } from '../support/relay.ts'
import { PRICES, standFor, WIRES, type Wire } from '../support/wires.ts'

const FUNDS_NANO = 1_000_000_000_000n
const KEY_TOTALS = { tokens: 0, costNano: 0n, dayCostNano: 0n, weekCostNano: 0n }

/** Every byte (`CUT_EVERY=1`) takes a minute; by default it is every ninth, and all about the ends of lines, where events become whole. */
const STRIDE = Number(process.env.CUT_EVERY ?? 9)

function* cutsOf(bytes: Uint8Array, stride = STRIDE): Generator<number> {
  for (let at = 0; at < bytes.length; at++) {
    const isNearLineEnd = bytes.subarray(Math.max(0, at - 2), at + 3).includes(10)
    if (at % stride === 0 || isNearLineEnd) yield at
  }
}

/** What the upstream does once it has sent so many bytes. */
type Then = 'end' | 'break' | 'wait'

function startBody(bytes: Uint8Array, cutAt: number, then: Then) {
  const delivered = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  let step = cutAt === 0 ? 1 : 0
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (step === 0) controller.enqueue(bytes.subarray(0, cutAt))
        if (step++ === 0) return
        delivered.resolve()
        if (then === 'break') return controller.error(new Error('reset'))
        if (then === 'wait') {
          await released.promise
          if (cutAt < bytes.length) controller.enqueue(bytes.subarray(cutAt))
        }
        controller.close()
      },
    },
    { highWaterMark: 0 },
  )
  return { body, delivered: delivered.promise, release: () => released.resolve() }
}

/** A recorded stream comes as bytes. */
type CutSubject = Omit<CutCase, 'stream'> & { stream: string | Uint8Array }

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

async function open({ wire, stream, request }: CutSubject, onClientDisconnect: 'drain' | 'abort' = 'drain') {
  const bytes = typeof stream === 'string' ? new TextEncoder().encode(stream) : stream
  let next = startBody(bytes, 0, 'end')
  const gateway = await createTestRelay({
    ...standFor(wire),
    prices: PRICES,
    keys: [makeKey({ tokenLimit: 1_000_000_000, concurrencyLimit: 1 })],
    user: { quotaNano: FUNDS_NANO },
    totals: { key: KEY_TOTALS, fundsNano: FUNDS_NANO },
    settings: { maxAttempts: 1, onClientDisconnect },
    script: () => new Response(next.body, { headers: { 'content-type': wire.dialect.contentType } }),
  })
  const send = (signal?: AbortSignal) => gateway.call(wire.stream, request, { path: wire.dialect.path, signal })

  async function receiptAfter(count: number): Promise<Receipt> {
    while (gateway.receipts.length <= count) await turn()
    // What broke counts against the account; the next cut is another story.
    gateway.health.reset('a')
    return gateway.receipts[count] as Receipt
  }

  /** The upstream ends or breaks after so many bytes. */
  async function cutUpstream(cutAt: number, then: 'end' | 'break') {
    const count = gateway.receipts.length
    next = startBody(bytes, cutAt, then)
    const response = await send()
    const received = await response.bytes()
    return { receipt: await receiptAfter(count), status: response.status, received }
  }

  /** The client leaves after so many bytes; the upstream would go on. */
  async function leave(cutAt: number) {
    const count = gateway.receipts.length
    const upstream = startBody(bytes, cutAt, 'wait')
    next = upstream
    const client = new AbortController()
    const pending = send(client.signal)
    await upstream.delivered
    const begun = await Promise.race([pending, turn()])
    const reader = begun?.body?.getReader()
    const first = await reader?.read()
    client.abort()
    upstream.release()
    const response = await pending
    if (!reader) await response.bytes()
    return { receipt: await receiptAfter(count), received: first?.value ?? new Uint8Array() }
  }

  /** What the counters hold: it must be what the receipts say. */
  async function counted() {
    const names = [
      fundsCounter({ kind: 'balance', id: 'user-1' }),
      keyCounter('key-1', 'tokens'),
      keyCounter('key-1', 'slots'),
    ]
    const { buckets } = await gateway.counters.read('user-1', names)
    return buckets.map((bucket) => [bucket?.used ?? 0, bucket?.reserved ?? 0])
  }

  return { ...gateway, bytes, cutUpstream, leave, counted }
}

/** What the protocol's meter makes of the beginning. */
function readingOf({ wire }: CutSubject, bytes: Uint8Array): Reading {
  const operation = OPERATIONS[wire.stream]
  const meter = PROTOCOLS[operation.protocol].meter(operation, 'sse')
  meter.push(bytes)
  return meter.read()
}

function costOf(usage: Usage, { wire }: CutSubject): bigint {
  const row = PRICES.find(({ model }) => model === wire.model)
  if (!row) throw new Error(`no price for ${wire.model}`)
  const anthropic = wire.dialect.platform === 'anthropic'
  return computeCosts({
    usage,
    iterations: null,
    price: { row, match: 'exact', anthropic },
    priceOf: () => null,
    serviceTier: null,
    uplifts: [],
    groupMultiplier: 1_000_000,
    accountMultiplier: 1_000_000,
    freeTier: false,
    failed: false,
  }).costs.totalNano
}

const isGood = ({ final }: Reading) => final === 'completed' || final === 'incomplete' || final === 'blocked'

/** How a stream is known of which so much was seen, part of which went to the client. */
function meteringOf(reading: Reading, wentOut: boolean): Receipt['metering'] {
  if (reading.usageCertainty === 'final') return 'measured'
  return reading.usageCertainty === 'provisional' || wentOut ? 'partly_estimated' : 'unknown'
}

function expectBounds(
  item: CutSubject,
  receipt: Receipt,
  { reading, fullNano }: { reading: Reading; fullNano: bigint },
) {
  const measured = reading.usage ?? NO_USAGE
  for (const leaf of ['input', 'output', 'cacheRead', 'cacheWrite5m', 'cacheWrite1h'] as const) {
    expect(receipt.usage[leaf]).toBeGreaterThanOrEqual(measured[leaf])
  }
  const { chargedNano } = receipt.costs
  expect(chargedNano).toBeGreaterThanOrEqual(costOf(measured, item))
  expect(chargedNano).toBeLessThanOrEqual(fullNano)
  expect(chargedNano).toBe(costOf(receipt.usage, item))
}

function sumsOf(receipts: readonly Receipt[]) {
  const charged = receipts.reduce((sum, { costs }) => sum + costs.chargedNano, 0n)
  const tokens = receipts.reduce((sum, { usage }) => sum + totalTokens(usage), 0)
  return [
    [Number(charged), 0],
    [tokens, 0],
    [0, 0],
  ]
}

for (const item of CUT_CASES) {
  describe(`${item.name}: cut at every byte (BIL-8, BIL-9)`, () => {
    test('by the upstream, with a clean end or a reset', async () => {
      const relay = await open(item)
      const { receipt: full } = await relay.cutUpstream(relay.bytes.length, 'end')
      expect(full).toMatchObject({ status: 'completed', metering: 'measured' })
      for (const cutAt of cutsOf(relay.bytes)) {
        const then = cutAt % 2 === 0 ? 'end' : 'break'
        const { receipt, status, received } = await relay.cutUpstream(cutAt, then)
        const seen = relay.bytes.subarray(0, cutAt)
        const reading = readingOf(item, seen)
        if (status !== 200) {
          // Before the first content nothing went out: nothing is charged, and what was measured stays with the attempt.
          expect(receipt).toMatchObject({ status: 'failed', metering: 'unknown', costs: { chargedNano: 0n } })
          expect(receipt.attempts[0]?.usage ?? null).toEqual(reading.usage)
          continue
        }
        expect(Buffer.from(received.subarray(0, cutAt)).equals(seen)).toBe(true)
        expect(receipt.status).toBe(isGood(reading) ? 'completed' : 'failed')
        expect(receipt.metering).toBe(meteringOf(reading, true))
        expectBounds(item, receipt, { reading, fullNano: full.costs.chargedNano })
      }
      expect(await relay.counted()).toEqual(sumsOf(relay.receipts))
    })

    test('by a client that leaves, the rest being drained: the whole is measured and charged (REL-14)', async () => {
      const relay = await open(item)
      const { receipt: full } = await relay.cutUpstream(relay.bytes.length, 'end')
      for (const cutAt of cutsOf(relay.bytes, 4 * STRIDE)) {
        const { receipt } = await relay.leave(cutAt)
        expect(receipt).toMatchObject({ status: 'completed', metering: 'measured', usage: full.usage })
        expect(receipt.costs).toEqual(full.costs)
      }
      expect(await relay.counted()).toEqual(sumsOf(relay.receipts))
    })

    test('by a client that leaves, the upstream being hung up on: what was seen is charged (REL-14)', async () => {
      const relay = await open(item, 'abort')
      const { receipt: full } = await relay.cutUpstream(relay.bytes.length, 'end')
      for (const cutAt of cutsOf(relay.bytes, 2 * STRIDE)) {
        const { receipt, received } = await relay.leave(cutAt)
        const reading = readingOf(item, relay.bytes.subarray(0, cutAt))
        expect(receipt.status).toBe(isGood(reading) ? 'completed' : 'cancelled')
        expect(receipt.metering).toBe(meteringOf(reading, received.length > 0))
        expectBounds(item, receipt, { reading, fullNano: full.costs.chargedNano })
      }
      expect(await relay.counted()).toEqual(sumsOf(relay.receipts))
    })
  })
}

test.each(['', '\r\n\r\n'])(
  'a prompt that is blocked, without a word of usage, costs nothing; line end %j (BIL-9)',
  async (end) => {
    const wire = WIRES.find(({ shape }) => shape === 'gemini') as Wire
    const stream = `data: {"promptFeedback":{"blockReason":"SAFETY"},"modelVersion":"gemini-2.5-flash"}${end}`
    const relay = await open({ name: 'blocked', wire, stream, request: wire.dialect.request })
    const { receipt } = await relay.cutUpstream(relay.bytes.length, 'end')
    expect(receipt).toMatchObject({ status: 'completed', usage: NO_USAGE, costs: { chargedNano: 0n } })
  },
)

const FAMILIES: Record<string, string> = {
  'openai:responses': 'openai-responses',
  'openai:chat': 'openai-chat',
  'anthropic:messages': 'anthropic',
  'gemini:streamGenerateContent': 'gemini',
}

/** Three of each protocol: the shortest whole ones that generated something worth cutting. */
function recordedSubjects(): CutSubject[] {
  const all = recorded().filter(
    ({ stream, expected, normalized, body, contentType }) =>
      stream &&
      contentType.includes('event-stream') &&
      expected.final_status === 'completed' &&
      (normalized?.output_total ?? 0) > 20 &&
      body.length < 60_000,
  )
  return Object.entries(FAMILIES).flatMap(([family, protocol]) => {
    const wire = WIRES.find(({ dialect }) => dialect.name === protocol)
    const shortest = all
      .filter((entry) => entry.family === family)
      .sort((one, other) => one.body.length - other.body.length)
      .slice(0, 3)
    return wire ? shortest.map(({ name, body }) => ({ name, wire, stream: body, request: wire.dialect.request })) : []
  })
}

/** By default 60 places of each are enough to be quick; `CUT_EVERY=1` takes every byte of them too. */
const placesOf = (bytes: Uint8Array): Iterable<number> =>
  process.env.CUT_EVERY
    ? cutsOf(bytes)
    : Array.from({ length: 60 }, (_, place) => Math.floor((bytes.length * place) / 60))

describe.skipIf(!RECORDED)('recorded streams, cut on either side (BIL-9)', () => {
  const subjects = recordedSubjects()

  /** What is estimated comes from sizes: for one stream in particular that may be more than it was in truth. */
  const mostOf = (item: CutSubject, full: Receipt, size: number): bigint => {
    const guess = { ...full.usage, ...guessOf(item, size) }
    return [full.costs.chargedNano, costOf(guess, item)].sort((one, other) => Number(other - one))[0] ?? 0n
  }

  test('there are three of each protocol', () => {
    expect(subjects).toHaveLength(12)
  })

  test.each(subjects)('by the upstream: $name', async (item) => {
    const relay = await open(item)
    const { receipt: full } = await relay.cutUpstream(relay.bytes.length, 'end')
    expect(full).toMatchObject({ status: 'completed', metering: 'measured' })
    const fullNano = mostOf(item, full, relay.bytes.length)
    for (const cutAt of placesOf(relay.bytes)) {
      const { receipt, status } = await relay.cutUpstream(cutAt, 'break')
      const reading = readingOf(item, relay.bytes.subarray(0, cutAt))
      if (status !== 200) continue
      expect(receipt.status).toBe(isGood(reading) ? 'completed' : 'failed')
      expect(receipt.metering).toBe(meteringOf(reading, true))
      expectBounds(item, receipt, { reading, fullNano })
    }
    expect(await relay.counted()).toEqual(sumsOf(relay.receipts))
  })

  test.each(subjects)('by a client that leaves, the upstream being hung up on: $name', async (item) => {
    const relay = await open(item, 'abort')
    const { receipt: full } = await relay.cutUpstream(relay.bytes.length, 'end')
    const fullNano = mostOf(item, full, relay.bytes.length)
    for (const cutAt of placesOf(relay.bytes)) {
      const { receipt, received } = await relay.leave(cutAt)
      const reading = readingOf(item, relay.bytes.subarray(0, cutAt))
      expect(receipt.status).toBe(isGood(reading) ? 'completed' : 'cancelled')
      expect(receipt.metering).toBe(meteringOf(reading, received.length > 0))
      expectBounds(item, receipt, { reading, fullNano })
    }
    expect(await relay.counted()).toEqual(sumsOf(relay.receipts))
  })
})

/** Input and output as their sizes let one guess them. */
function guessOf({ wire, request }: CutSubject, relayedBytes: number): Pick<Usage, 'input' | 'output'> {
  const { protocol } = OPERATIONS[wire.stream]
  const about = { protocol, maxOutputTokens: null, choices: 1, price: null }
  const { input } = estimateTokens({ ...about, bodyBytes: request.length, generates: true })
  return { input, output: estimateRelayedTokens({ ...about, relayedBytes, streamed: true }) }
}
