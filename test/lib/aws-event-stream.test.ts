import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  createEventStreamReader,
  EventStreamError,
  type EventStreamReader,
  MAX_MESSAGE_BYTES,
} from '../../src/lib/aws-event-stream.ts'
import { closed, framed, message } from '../support/event-stream.ts'

interface Read {
  headers: Readonly<Record<string, string>>
  payload: string
}

function readAll(bytes: Uint8Array, lengths: readonly number[]): Read[] {
  const reader = createEventStreamReader()
  const read: Read[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const chunk = new Uint8Array(bytes.subarray(at, at + lengths[turn % lengths.length]!))
    at += chunk.length
    reader.push(chunk, ({ headers, payload }) => read.push({ headers, payload: Buffer.from(payload).toString() }))
    // Memory that is used again must not change what was held back.
    chunk.fill(255)
  }
  reader.end()
  return read
}

/** For bytes in which no message is ever whole. */
const push = (reader: EventStreamReader, bytes: Uint8Array) =>
  reader.push(bytes, () => {
    throw new Error('no message was expected')
  })

const messages = fc.array(
  fc.record({ headers: fc.dictionary(fc.string({ minLength: 1, maxLength: 9 }), fc.string()), payload: fc.string() }),
  { maxLength: 6 },
)
const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 })

describe('the AWS event stream', () => {
  test('messages come out as they were sent, at every split of the bytes (ACC-16)', () => {
    fc.assert(
      fc.property(messages, lengths, (sent, split) => {
        const bytes = Buffer.concat(sent.map(({ headers, payload }) => message(headers, payload)))
        const seen = readAll(bytes, split).map(({ headers, payload }) => ({ headers: { ...headers }, payload }))
        expect(seen).toEqual(sent.map(({ headers, payload }) => ({ headers: { ...headers }, payload })))
      }),
      { numRuns: 200 },
    )
  })

  test('headers of other types are stepped over (ACC-16)', () => {
    const others = [0, 1, 2, 3, 4, 5, 8, 9].map((type) => {
      const size = [0, 0, 1, 2, 4, 8, 0, 0, 8, 16][type]!
      return [`t${type}`, { type, bytes: new Array(size).fill(7) }] as const
    })
    const bytes = message({
      ...Object.fromEntries(others),
      bytes: { type: 6, bytes: [0, 2, 1, 1] },
      ':event-type': 'chunk',
    })
    expect(readAll(bytes, [1000])).toEqual([{ headers: { ':event-type': 'chunk' }, payload: '' }])
  })

  test('one wrong bit anywhere is noticed (ACC-16)', () => {
    const sound = message({ ':event-type': 'chunk' }, '{"bytes":"e30="}')
    for (let at = 0; at < sound.length * 8; at++) {
      const bytes = Buffer.from(sound)
      bytes[at >> 3]! ^= 1 << (at & 7)
      expect(() => readAll(bytes, [bytes.length])).toThrow(EventStreamError)
    }
  })

  test('a stream that was bad stays bad (ACC-16)', () => {
    const reader = createEventStreamReader()
    const sound = message({}, 'x')
    expect(() => push(reader, Buffer.concat([sound.subarray(0, 11), Buffer.from([0])]))).toThrow(/prelude/)
    expect(() => push(reader, sound)).toThrow(/prelude/)
    expect(() => reader.end()).toThrow(/prelude/)
  })

  test('a stream that ends within a message says so; between messages it may end (ACC-16)', () => {
    const bytes = message({}, 'x')
    expect(() => readAll(bytes.subarray(0, -1), [7])).toThrow(/ends within a message, after 16 bytes/)
    expect(readAll(Buffer.concat([bytes, bytes]), [7])).toHaveLength(2)
  })

  test('a declared length over 16 MiB is refused by its first 12 bytes (ACC-16)', () => {
    const reader = createEventStreamReader()
    const prelude = (total: number) => {
      const bytes = Buffer.alloc(8)
      bytes.writeUInt32BE(total, 0)
      return closed(bytes)
    }
    expect(() => push(reader, prelude(MAX_MESSAGE_BYTES))).not.toThrow()
    expect(() => push(createEventStreamReader(), prelude(MAX_MESSAGE_BYTES + 1))).toThrow(/over the limit/)
    expect(() => push(createEventStreamReader(), prelude(0xffffffff))).toThrow(/over the limit/)
  })

  test('lengths that contradict each other, and headers that run over, are refused although checksums match (ACC-16)', () => {
    const short = Buffer.alloc(8)
    short.writeUInt32BE(15, 0)
    expect(() => push(createEventStreamReader(), closed(short))).toThrow(/contradict/)
    const long = Buffer.alloc(8)
    long.writeUInt32BE(20, 0)
    long.writeUInt32BE(5, 4)
    expect(() => push(createEventStreamReader(), closed(long))).toThrow(/contradict/)
    for (const headers of [
      [5, 97],
      [1, 97, 7, 0, 9, 1],
      [1, 97],
      [1, 97, 5, 1],
    ]) {
      expect(() => readAll(framed(Buffer.from(headers), Buffer.alloc(0)), [99])).toThrow(/runs over/)
    }
    expect(() => readAll(framed(Buffer.from([1, 97, 33]), Buffer.alloc(0)), [99])).toThrow(/unknown type 33/)
  })

  test('a message in crumbs costs no more than its length: 4 MiB in pieces of 64 bytes within a second (ACC-16)', () => {
    const bytes = message({}, new Uint8Array(4 * 1024 * 1024))
    const startedAt = performance.now()
    expect(readAll(bytes, [64])).toHaveLength(1)
    expect(performance.now() - startedAt).toBeLessThan(1000)
  })
})
