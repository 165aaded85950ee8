/**
 * Takes in a request body, whole and bounded (REL-16): failover needs the bytes anyway, and one `bytes()` costs less than streaming them.
 * A body that says it is too large is refused before it is read; one that doesn't say is counted while it comes.
 */
import { type Denial, deny } from '../core/denial.ts'
import { decodeContent } from '../lib/content-encoding.ts'

export async function readBody(request: Request, mostBytes: number): Promise<Uint8Array | Denial> {
  const tooLarge = () => deny('body_too_large', `The request body is larger than the ${mostBytes} bytes allowed.`)
  const declared = request.headers.get('content-length')
  if (declared !== null && Number(declared) > mostBytes) return tooLarge()
  const raw = declared === null && request.body ? await readCounted(request.body, mostBytes) : await request.bytes()
  if (raw === null || raw.length > mostBytes) return tooLarge()
  const encoding = request.headers.get('content-encoding')
  if (encoding === null) return raw
  const decoded = await decodeContent(raw, encoding, mostBytes)
  if (typeof decoded !== 'string') return decoded
  if (decoded === 'too-large') return tooLarge()
  if (decoded === 'unsupported') {
    return deny('invalid_encoding', 'content-encoding: only gzip, deflate, br and zstd are understood.')
  }
  return deny('invalid_encoding', 'The request body does not match its content-encoding.')
}

/** Null when there is more than allowed. */
async function readCounted(body: ReadableStream<Uint8Array>, mostBytes: number): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return Buffer.concat(chunks)
    size += value.length
    if (size > mostBytes) {
      await reader.cancel().catch(() => undefined)
      return null
    }
    chunks.push(value)
  }
}
