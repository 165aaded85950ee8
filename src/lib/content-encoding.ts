/**
 * Undoes the content encodings that clients may put on a request body (REL-16), with a bound on the output: a small bomb must not
 * become a large allocation. Runs on the runtime's worker threads, not on the event loop.
 */
import zlib from 'node:zlib'

export type Decoded = { ok: true; bytes: Uint8Array } | { ok: false; reason: 'too_large' | 'malformed' | 'unsupported' }

type Decompress = (
  input: Uint8Array,
  options: { maxOutputLength: number },
  done: (error: NodeJS.ErrnoException | null, output: Buffer) => void,
) => void

const DECODERS: Readonly<Record<string, Decompress>> = {
  gzip: zlib.gunzip,
  'x-gzip': zlib.gunzip,
  deflate: zlib.inflate,
  br: zlib.brotliDecompress,
  zstd: zlib.zstdDecompress,
}

/** A chain such as "gzip, br" is undone from its last member to its first (RFC 9110, 8.4). Longer chains than 3 are refused. */
export async function decodeContent(bytes: Uint8Array, encoding: string, mostBytes: number): Promise<Decoded> {
  const names = encoding
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity')
  if (names.length > 3) return { ok: false, reason: 'unsupported' }
  let current = bytes
  for (const name of names.reverse()) {
    const decoder = DECODERS[name]
    if (!decoder) return { ok: false, reason: 'unsupported' }
    const output = await new Promise<Buffer | NodeJS.ErrnoException>((resolve) => {
      decoder(current, { maxOutputLength: mostBytes }, (error, decoded) => resolve(error ?? decoded))
    })
    if (output instanceof Error) {
      return { ok: false, reason: output.code === 'ERR_BUFFER_TOO_LARGE' ? 'too_large' : 'malformed' }
    }
    current = output
  }
  return { ok: true, bytes: current }
}
