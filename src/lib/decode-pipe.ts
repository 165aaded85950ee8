/**
 * Undoes the content encoding of a body while it streams: what a chunk yields is passed on with that chunk, nothing waits for a block to
 * fill. A slow consumer slows the source, so that a small bomb cannot become a large allocation. Works on the runtime's zlib streams.
 *
 * If it fails: bytes that are not what the encoding says, or that end too early, reject the pipe; so does whatever breaks the source. The
 * source is not told: whoever has it aborts it.
 */
import type { Transform } from 'node:stream'
import zlib from 'node:zlib'
import type { OnChunk, Pipe } from './pushed-body.ts'

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: () => zlib.createGunzip({ flush: zlib.constants.Z_SYNC_FLUSH }),
  'x-gzip': () => zlib.createGunzip({ flush: zlib.constants.Z_SYNC_FLUSH }),
  deflate: () => zlib.createInflate({ flush: zlib.constants.Z_SYNC_FLUSH }),
  br: () => zlib.createBrotliDecompress({ flush: zlib.constants.BROTLI_OPERATION_FLUSH }),
  zstd: () => zlib.createZstdDecompress({ flush: zlib.constants.ZSTD_e_flush }),
}

/** Chains are not for bombs: a body encoded more than three times over is left as it is. */
const MOST_ENCODINGS = 3

/** Gives null when there is nothing to undo, or something that cannot be undone: then the bytes are passed as they are. */
export function decodedPipe(pipe: Pipe, encoding: string | null): Pipe | null {
  const names = (encoding ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity')
  if (names.length === 0 || names.length > MOST_ENCODINGS) return null
  if (!names.every((name) => Object.hasOwn(DECODERS, name))) return null
  // "gzip, br" was applied in this order, and is undone from its last member (RFC 9110, 8.4).
  return names.reduceRight<Pipe>(
    (inner, name) => (onChunk) => decode(inner, DECODERS[name] as () => Transform, onChunk),
    pipe,
  )
}

function decode(pipe: Pipe, create: () => Transform, onChunk: OnChunk): Promise<void> {
  return new Promise((resolve, reject) => {
    const decoder = create()
    let drained: (() => void) | null = null
    function fail(error: unknown): void {
      decoder.destroy()
      reject(error)
    }
    decoder.on('drain', () => drained?.())
    decoder.on('error', fail)
    decoder.on('end', resolve)
    decoder.on('data', (chunk: Uint8Array) => {
      try {
        const wait = onChunk(chunk)
        if (!wait) return
        decoder.pause()
        wait.then(() => decoder.resume(), fail)
      } catch (error) {
        fail(error)
      }
    })
    pipe((chunk) => {
      if (decoder.write(chunk)) return undefined
      return new Promise<void>((go) => {
        drained = go
      })
    }).then(() => decoder.end(), fail)
  })
}
