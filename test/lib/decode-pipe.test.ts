import { describe, expect, test } from 'bun:test'
import zlib from 'node:zlib'
import { decodedPipe } from '../../src/lib/decode-pipe.ts'
import { type Pipe, PushedBody } from '../../src/lib/pushed-body.ts'

const TEXT = Buffer.from(Array.from({ length: 2000 }, (_, index) => `data: {"n":${index}}\n\n`).join(''))

const ENCODINGS: [string, Uint8Array][] = [
  ['gzip', zlib.gzipSync(TEXT)],
  ['x-gzip', zlib.gzipSync(TEXT)],
  ['deflate', zlib.deflateSync(TEXT)],
  ['Deflate', zlib.deflateRawSync(TEXT)],
  ['br', zlib.brotliCompressSync(TEXT)],
  ['zstd', zlib.zstdCompressSync(TEXT)],
  ['gzip, br', zlib.brotliCompressSync(zlib.gzipSync(TEXT))],
]

/** A source that gives the bytes in pieces and respects the consumer's promises. */
function pipeOf(bytes: Uint8Array, piece = 100, end: () => void = () => undefined): Pipe {
  return async (onChunk) => {
    for (let at = 0; at < bytes.length; at += piece) await onChunk(bytes.slice(at, at + piece))
    end()
  }
}

async function collect(pipe: Pipe | null): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  if (!pipe) throw new Error('not decodable')
  await pipe((bytes) => {
    chunks.push(bytes.slice())
    return undefined
  })
  return Buffer.concat(chunks)
}

describe('encodings are undone while streaming', () => {
  for (const [encoding, bytes] of ENCODINGS) {
    test(`${encoding}: all bytes, from pieces of any size`, async () => {
      for (const piece of [7, 1000, bytes.length]) {
        expect((await collect(decodedPipe(pipeOf(bytes, piece), encoding))).equals(TEXT)).toBe(true)
      }
    })

    test(`${encoding}: a body cut short rejects, it never ends cleanly`, async () => {
      const cut = bytes.slice(0, -Math.ceil(bytes.length / 3))
      await expect(collect(decodedPipe(pipeOf(cut), encoding))).rejects.toThrow()
    })
  }

  test('nothing to undo, or something unknown, is left alone', () => {
    const pipe = pipeOf(TEXT)
    for (const encoding of [null, '', 'identity', 'compress', 'gzip, rot13', 'gzip, gzip, gzip, gzip']) {
      expect(decodedPipe(pipe, encoding)).toBeNull()
    }
    expect(decodedPipe(pipe, ' GZIP ')).not.toBeNull()
  })
})

for (const [encoding, create, flush] of [
  ['gzip', () => zlib.createGzip(), zlib.constants.Z_SYNC_FLUSH],
  ['br', () => zlib.createBrotliCompress(), zlib.constants.BROTLI_OPERATION_FLUSH],
  ['zstd', () => zlib.createZstdCompress(), zlib.constants.ZSTD_e_flush],
] as const) {
  test(`${encoding}: an event comes out with the chunk it came in with, not when a block is full (REL-7)`, async () => {
    const encoder = create()
    const body = new PushedBody({ pause: () => undefined, resume: () => undefined, hangUp: () => undefined })
    encoder.on('data', (bytes) => body.push(bytes))
    const pipe = decodedPipe((onChunk) => body.pipe(onChunk), encoding) as Pipe
    let arrived: (text: string) => void = () => undefined
    const done = pipe((bytes) => void arrived(Buffer.from(bytes).toString()))
    for (const event of ['data: one\n\n', 'data: two\n\n']) {
      const came = new Promise<string>((resolve) => {
        arrived = resolve
      })
      encoder.write(event)
      encoder.flush(flush)
      // Each waits for the one before: an event held back would hang the test.
      expect(await came).toBe(event)
    }
    encoder.on('end', () => body.end())
    encoder.end()
    await done
  })
}

test('a slow consumer slows the source: a bomb is not unpacked ahead of it', async () => {
  const bomb = zlib.gzipSync(Buffer.alloc(16 * 1024 * 1024))
  let most = 0
  let out = 0
  let pieces = 0
  const source: Pipe = async (onChunk) => {
    for (let at = 0; at < bomb.length; at += 1024) {
      pieces++
      await onChunk(bomb.subarray(at, at + 1024))
    }
  }
  const stop = new Error('enough')
  const pipe = decodedPipe(source, 'gzip') as Pipe
  await expect(
    pipe(async (bytes) => {
      most = Math.max(most, bytes.length)
      out += bytes.length
      await Promise.resolve()
      if (out > 4 * 1024 * 1024) throw stop
    }),
  ).rejects.toBe(stop)
  expect(most).toBeLessThanOrEqual(1024 * 1024)
  expect(pieces).toBeLessThan(10)
})

test('an empty body is empty, whatever encoding it claims', async () => {
  expect(await collect(decodedPipe(pipeOf(new Uint8Array()), 'gzip'))).toHaveLength(0)
})

test('what breaks the source, or the consumer, rejects the pipe', async () => {
  const broken = pipeOf(zlib.gzipSync(TEXT), 100, () => {
    throw new Error('source')
  })
  await expect(collect(decodedPipe(broken, 'gzip'))).rejects.toThrow('source')
  const pipe = decodedPipe(pipeOf(zlib.gzipSync(TEXT)), 'gzip') as Pipe
  await expect(
    pipe(() => {
      throw new Error('consumer')
    }),
  ).rejects.toThrow('consumer')
  await expect(collect(decodedPipe(pipeOf(TEXT), 'gzip'))).rejects.toThrow()
})
