/**
 * Undoes the content encoding of a body while it streams: what a chunk yields is passed on with that chunk, nothing waits for a block to
 * fill. A slow consumer slows the source, so that a small bomb cannot become a large allocation.
 *
 * `DecompressionStream`, not node:zlib: in Bun 1.4.5 the latter takes zstd that is cut short for whole. Both work off the event loop.
 *
 * If it fails: bytes that are not what the encoding says, or that end too early, reject the pipe; so does whatever breaks the source.
 */
import type { OnChunk, Pipe } from './pushed-body.ts'

/** By the name that HTTP has for it: the format, told from the first byte of a body. */
const FORMATS: Readonly<Record<string, (firstByte: number) => Bun.CompressionFormat>> = {
  gzip: () => 'gzip',
  'x-gzip': () => 'gzip',
  // "deflate" is zlib's format (RFC 9110, 8.4.1.2), but some servers send the bare one; zlib's first byte has 8 in its low half.
  deflate: (firstByte) => ((firstByte & 0x0f) === 8 ? 'deflate' : 'deflate-raw'),
  br: () => 'brotli',
  zstd: () => 'zstd',
}

/** Chains are for bombs: a body encoded more than three times over is left as it is. */
const MOST_ENCODINGS = 3

/** Gives null when there is nothing to undo, or something that cannot be undone: then the bytes are to be passed as they are. */
export function decodedPipe(pipe: Pipe, encoding: string | null): Pipe | null {
  if (encoding === null) return null
  const names = encoding
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity')
  if (names.length === 0 || names.length > MOST_ENCODINGS) return null
  if (!names.every((name) => Object.hasOwn(FORMATS, name))) return null
  // "gzip, br" was applied in this order, and is undone from its last member (RFC 9110, 8.4).
  return names.reduceRight<Pipe>((inner, name) => (onChunk) => decode(inner, name, onChunk), pipe)
}

async function decode(pipe: Pipe, name: string, onChunk: OnChunk): Promise<void> {
  const decoder = createDecoder(name, onChunk)
  try {
    await pipe(decoder.write)
  } catch (error) {
    decoder.abort(error)
    throw error
  }
  await decoder.end()
}

interface Decoder {
  /** Resolves when the chunk is decoded and its consumer has it. */
  write(chunk: Uint8Array): Promise<void>
  end(): Promise<void>
  abort(error: unknown): void
}

function createDecoder(name: string, onChunk: OnChunk): Decoder {
  let running: { writer: ReturnType<DecompressionStream['writable']['getWriter']>; reading: Promise<void> } | null =
    null
  let failure: { error: unknown } | null = null
  let rejectWrite: (error: unknown) => void = () => undefined

  function start(firstByte: number) {
    const stream = new DecompressionStream(FORMATS[name]?.(firstByte) ?? 'gzip')
    const writer = stream.writable.getWriter()
    const reading = readAll(stream.readable, onChunk).catch((error) => {
      failure = { error }
      writer.abort(error).catch(() => undefined)
      // A write that waits for room is not rejected by the abort, nor one that comes after it (Bun 1.4.5).
      rejectWrite(error)
      throw error
    })
    reading.catch(() => undefined)
    return { writer, reading }
  }

  return {
    write(chunk) {
      running ??= start(chunk[0] ?? 0)
      const { writer } = running
      return new Promise((resolve, reject) => {
        rejectWrite = reject
        if (failure) reject(failure.error)
        else writer.write(chunk as Uint8Array<ArrayBuffer>).then(resolve, reject)
      })
    },
    async end() {
      // Nothing at all is not compressed, whatever the header says: a 204, or an error without a body.
      if (running) await Promise.all([running.writer.close(), running.reading])
    },
    abort: (error) => void running?.writer.abort(error).catch(() => undefined),
  }
}

async function readAll(readable: ReadableStream<Uint8Array>, onChunk: OnChunk): Promise<void> {
  const reader = readable.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const wait = onChunk(value)
    if (wait) await wait
  }
}
