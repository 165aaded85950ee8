import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { MOST_FRAME_BYTES, MOST_TEXT_BYTES, readFrames, writeFrame } from '../../src/lib/journal-frames.ts'

const scratch = Buffer.alloc(MOST_FRAME_BYTES)

function framesOf(texts: readonly string[]): Buffer[] {
  return texts.map((text) => Buffer.from(scratch.subarray(0, writeFrame(scratch, text) as number)))
}

const all = (bytes: Buffer) => readFrames(bytes, Number.POSITIVE_INFINITY)

describe('frames of a journal', () => {
  test('come back as the texts that they were made of, whatever is in them (OPS-1)', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), (texts) => {
        const bytes = Buffer.concat(framesOf(texts))
        expect(all(bytes)).toEqual({ texts, end: bytes.length, damagedBytes: 0, restBytes: 0 })
      }),
    )
  })

  test('cut at any byte they lose what was cut and nothing else, and call none of it damage (OPS-1)', () => {
    const texts = ['first', '', 'zwölf Gläser', 'x'.repeat(300)]
    const frames = framesOf(texts)
    const bytes = Buffer.concat(frames)
    for (let cut = 0; cut < bytes.length; cut++) {
      let whole = 0
      for (let size = 0; whole < frames.length && size + (frames[whole]?.length ?? 0) <= cut; whole++) {
        size += frames[whole]?.length ?? 0
      }
      const read = all(bytes.subarray(0, cut))
      expect(read.texts).toEqual(texts.slice(0, whole))
      expect(read.damagedBytes).toBe(0)
      expect(read.end + read.restBytes).toBe(cut)
    }
  })

  test('damaged anywhere, every frame that was not hit is still read, and no text that was never written (OPS-1)', () => {
    const texts = Array.from({ length: 8 }, (_, index) => `record ${index} ${'.'.repeat(index * 7)}`)
    const frames = framesOf(texts)
    const starts = frames.map((_, index) => Buffer.concat(frames.slice(0, index)).length)
    fc.assert(
      fc.property(
        fc.nat(Buffer.concat(frames).length - 1),
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        (at, garbage) => {
          const bytes = Buffer.concat(frames)
          const length = Math.min(garbage.length, bytes.length - at)
          bytes.set(garbage.subarray(0, length), at)
          const untouched = texts.filter((_, index) => {
            const [from, to] = [starts[index] ?? 0, (starts[index] ?? 0) + (frames[index]?.length ?? 0)]
            return to <= at || from >= at + length
          })
          const read = all(bytes)
          expect(read.texts).toEqual(expect.arrayContaining(untouched))
          for (const text of read.texts) expect(texts).toContain(text)
        },
      ),
    )
  })

  test('a text that no record can be as long as is refused, not cut (OPS-1)', () => {
    expect(writeFrame(scratch, 'x'.repeat(MOST_TEXT_BYTES))).toBe(MOST_FRAME_BYTES)
    expect(writeFrame(scratch, 'x'.repeat(MOST_TEXT_BYTES + 1))).toBeNull()
    expect(writeFrame(scratch, '€'.repeat(MOST_TEXT_BYTES / 2))).toBeNull()
  })
})
