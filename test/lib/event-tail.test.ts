import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createEventTail, type Kept, keptOfWhole, LARGEST_KEPT_BYTES, WINDOW_BYTES } from '../../src/lib/event-tail.ts'
import { bytesOf, split } from '../support/responses.ts'

const HEAD_BYTES = 300

function isWorth(opening: string): boolean {
  return !opening.includes('boring')
}

function keep(chunks: Uint8Array[], framing: 'sse' | 'whole' = 'sse'): Kept {
  const tail = createEventTail({ framing, headBytes: HEAD_BYTES, worthKeeping: isWorth })
  for (const chunk of chunks) tail.push(chunk)
  return tail.kept()
}

/** The definition, on all bytes at once: what the tail must keep of them. */
function slowTwin(bytes: Uint8Array): Kept {
  const total = bytes.length
  const edge = total - WINDOW_BYTES
  if (edge <= 0) return { head: null, opening: null, tail: bytes, aligned: true }
  const text = new TextDecoder('latin1').decode(bytes)
  let start = 0
  let end = Number.POSITIVE_INFINITY
  for (const match of text.matchAll(/\n(?=(\r?\n))/g)) {
    const boundary = match.index + 1 + match[1]!.length
    if (boundary <= edge) start = boundary
    else {
      end = boundary
      break
    }
  }
  const opening = bytes.slice(start, start + 512)
  const large = start < edge && Math.min(end, total) - start > WINDOW_BYTES
  if (!large || !isWorth(new TextDecoder().decode(opening))) {
    return { head: bytes.slice(0, HEAD_BYTES), opening: null, tail: bytes.slice(edge), aligned: false }
  }
  const from = Math.max(start, total - LARGEST_KEPT_BYTES)
  const aligned = from === start
  const head = from === 0 ? null : bytes.slice(0, HEAD_BYTES)
  return { head, opening: aligned ? null : opening, tail: bytes.slice(from), aligned }
}

const event = fc.record({
  name: fc.constantFrom('data: x', 'event: boring\ndata: y', ': comment', ''),
  size: fc.oneof(
    { weight: 8, arbitrary: fc.nat(600) },
    { weight: 3, arbitrary: fc.integer({ min: 3900, max: 9000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 70_000 }) },
  ),
  end: fc.constantFrom('\n\n', '\r\n\r\n', '\n', '\n\n\n', '\n\r\n'),
})
const body = fc.array(event, { maxLength: 12 }).map((events) => {
  return bytesOf(events.map(({ name, size, end }) => `${name}${'z'.repeat(size)}${end}`).join(''))
})

describe('event tail', () => {
  test('what is kept depends on the bytes, not on the chunks, and is what the definition says (REL-8)', () => {
    fc.assert(
      fc.property(body, fc.nat(), (bytes, seed) => {
        const expected = slowTwin(bytes)
        expect(keep([bytes])).toEqual(expected)
        expect(keep(split(bytes, seed))).toEqual(expected)
      }),
      { numRuns: 150 },
    )
  })

  test('byte by byte it keeps the same, large events included (REL-8)', () => {
    const large = (name: string, size = 70_000) => `data: ${name.repeat(size)}\r\n\r\n`
    const texts = [
      `data: a\n\n${large('l')}data: b\n\n`,
      large('l') + large('m'),
      large('l', 5000) + large('m', 5000),
      `${large('l')}${'data: c\n\n'.repeat(900)}`,
    ]
    for (const text of texts) {
      const bytes = bytesOf(text)
      expect(keep(split(bytes, 'bytes'))).toEqual(slowTwin(bytes))
    }
  })

  test('a stream of any length costs at most 64 kB, without large events 4 kB (REL-7)', () => {
    const small = keep(Array.from({ length: 5000 }, () => bytesOf('data: hello\n\n')))
    expect(small.tail.length).toBe(WINDOW_BYTES)
    const large = keep([bytesOf(`data: ${'x'.repeat(3_000_000)}`)])
    expect(large.tail.length).toBe(LARGEST_KEPT_BYTES)
    expect(new TextDecoder().decode(large.opening!.subarray(0, 7))).toBe('data: x')
  })

  test('a large event that is not worth it leaves the window as it is (REL-8)', () => {
    const kept = keep([bytesOf(`event: boring\ndata: ${'x'.repeat(30_000)}`)])
    expect(kept.tail.length).toBe(WINDOW_BYTES)
    expect(kept.opening).toBeNull()
  })

  test('a body that is one event is kept whole up to 64 kB, blank lines in it or not (REL-17)', () => {
    const bytes = bytesOf(`{"a":\n\n"${'x'.repeat(50_000)}"}`)
    for (const way of ['whole', 'bytes', 7] as const) {
      const kept = keep(split(bytes, way), 'whole')
      expect(kept.aligned).toBe(true)
      expect(kept.tail).toEqual(bytes)
    }
  })
})

test('a body that is there in one piece keeps what it would have kept in chunks (REL-17)', () => {
  const sizes = fc.oneof(fc.nat(9000), fc.integer({ min: LARGEST_KEPT_BYTES - 2, max: LARGEST_KEPT_BYTES + 5000 }))
  fc.assert(
    fc.property(sizes, (size) => {
      const bytes = Uint8Array.from({ length: size }, (_, index) => index % 251)
      const tail = createEventTail({ framing: 'whole', headBytes: HEAD_BYTES, worthKeeping: () => true })
      for (let start = 0; start < size; start += 1000) tail.push(bytes.subarray(start, start + 1000))
      expect(keptOfWhole(bytes, HEAD_BYTES)).toEqual(tail.kept())
    }),
    { numRuns: 30 },
  )
})
