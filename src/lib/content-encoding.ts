/**
 * Undoes the content codings of a message body, with a bound on what comes out: a few kilobytes can unpack to gigabytes.
 *
 * The work is done on zlib's threads (50 MB of gzip kept the event loop for 2 ms, not 250). A truncated zstd body may
 * come out short instead of as `invalid`: who needs the whole must check, as a JSON reader does.
 * https://www.rfc-editor.org/rfc/rfc9110#section-8.4 · If it fails: the answer is a ContentFault, it never throws.
 */
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, type InputType, inflate, inflateRaw, zstdDecompress } from 'node:zlib'

/** `unsupported`: a coding that is not known here; `too-large`: more than the bound; `invalid`: not what it claims to be. */
export type ContentFault = 'unsupported' | 'too-large' | 'invalid'

type Decoder = (bytes: InputType, options: { maxOutputLength: number }) => Promise<Uint8Array>

const zlibFormat: Decoder = promisify(inflate)
const rawFormat: Decoder = promisify(inflateRaw)
const DECODERS = new Map<string, Decoder>([
  ['gzip', promisify(gunzip)],
  ['x-gzip', promisify(gunzip)],
  ['br', promisify(brotliDecompress)],
  ['zstd', promisify(zstdDecompress)],
  ['deflate', (bytes, options) => (hasZlibHeader(bytes as Uint8Array) ? zlibFormat : rawFormat)(bytes, options)],
])
/** Nobody sends more than one; each costs a pass. */
const MAX_CODINGS = 2

/** `header`: the value of `content-encoding`. A body without a coding is answered as it is, the same object. */
export async function decodeContent(
  bytes: Uint8Array,
  header: string | null,
  maxBytes: number,
): Promise<Uint8Array | ContentFault> {
  const codings = codingsOf(header)
  const decoders = codings.map((coding) => DECODERS.get(coding))
  if (codings.length > MAX_CODINGS || decoders.includes(undefined)) return 'unsupported'
  let decoded = bytes
  try {
    // The last coding named was applied last.
    for (const decode of decoders.toReversed()) decoded = await decode!(decoded, { maxOutputLength: maxBytes })
  } catch (error) {
    return (error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE' ? 'too-large' : 'invalid'
  }
  return decoded.length > maxBytes ? 'too-large' : decoded
}

function codingsOf(header: string | null): string[] {
  const names = (header ?? '').toLowerCase().split(',')
  return names.map((name) => name.trim()).filter((name) => name !== '' && name !== 'identity')
}

/** "deflate" means the zlib format, but some send it bare. https://www.rfc-editor.org/rfc/rfc1950#section-2.2 */
function hasZlibHeader(bytes: Uint8Array): boolean {
  const [method = 0, flags = 0] = bytes
  return (method & 0x0f) === 8 && ((method << 8) | flags) % 31 === 0
}
