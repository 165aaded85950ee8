import { describe, expect, test } from 'bun:test'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { decodeContent } from '../../src/lib/content-encoding.ts'

const TEXT = Buffer.from(JSON.stringify({ model: 'm', messages: Array(200).fill('naïve text') }))
const ENCODED = {
  gzip: gzipSync(TEXT),
  'X-GZip': gzipSync(TEXT),
  br: brotliCompressSync(TEXT),
  zstd: zstdCompressSync(TEXT),
  deflate: deflateSync(TEXT),
}
const BOMB = Buffer.alloc(2_000_000)

describe('codings', () => {
  for (const [coding, bytes] of Object.entries(ENCODED)) {
    test(`${coding} is undone (REL-16)`, async () => {
      expect(await decodeContent(bytes, coding, 100_000)).toEqual(TEXT)
    })
  }

  test('a bare deflate stream is undone too (REL-16)', async () => {
    expect(await decodeContent(deflateRawSync(TEXT), 'deflate', 100_000)).toEqual(TEXT)
  })

  test('two codings are undone in reverse order (REL-16)', async () => {
    expect(await decodeContent(zstdCompressSync(gzipSync(TEXT)), 'gzip, zstd', 100_000)).toEqual(TEXT)
  })

  for (const header of [null, '', 'identity', ' Identity , ']) {
    test(`"${header}" is no coding: the body is the same object (REL-16)`, async () => {
      expect(await decodeContent(TEXT, header, 100_000)).toBe(TEXT)
    })
  }
})

describe('refusals', () => {
  for (const [coding, compress] of [
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
    ['deflate', deflateSync],
  ] as const) {
    test(`a ${coding} body that would unpack beyond the bound is too large, one of just the bound is not (REL-16)`, async () => {
      const bomb = compress(BOMB)
      expect(bomb.length).toBeLessThan(10_000)
      expect(await decodeContent(bomb, coding, BOMB.length - 1)).toBe('too-large')
      expect(await decodeContent(bomb, coding, BOMB.length)).toHaveLength(BOMB.length)
    })

    test(`a body that is not ${coding} is invalid (REL-16)`, async () => {
      expect(await decodeContent(TEXT, coding, 100_000)).toBe('invalid')
    })
  }

  test('a bound on the first of two codings is a bound on both (REL-16)', async () => {
    expect(await decodeContent(gzipSync(gzipSync(BOMB)), 'gzip, gzip', 1_000_000)).toBe('too-large')
  })

  test('an uncoded body beyond the bound is too large as well (REL-16)', async () => {
    expect(await decodeContent(TEXT, null, TEXT.length - 1)).toBe('too-large')
  })

  for (const header of ['compress', 'gzip, snappy', 'gzip, gzip, gzip']) {
    test(`"${header}" is not supported (REL-16)`, async () => {
      expect(await decodeContent(TEXT, header, 100_000)).toBe('unsupported')
    })
  }

  test('a truncated gzip, br or deflate body is invalid (REL-16)', async () => {
    for (const coding of ['gzip', 'br', 'deflate'] as const) {
      expect(await decodeContent(ENCODED[coding].subarray(0, -6), coding, 100_000)).toBe('invalid')
    }
  })
})
