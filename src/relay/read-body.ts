/**
 * Takes in a request body, whole and bounded (REL-16): failover needs the bytes anyway, and one `bytes()` costs less than streaming them.
 * A body that says it is too large is refused before it is read; one that doesn't say is counted while it comes.
 *
 * All bodies together have a budget too (OPS-11). While one waits for room nothing more of it is read, and the runtime stops the client. What is
 * small goes ahead: refusing it would free nothing. What is large is counted as it comes, so that a client who announces much and sends
 * little holds up nobody. Bytes taken stand in `exchange.heldBytes` until they are given back: when a stream has begun, else at the end.
 */
import { type Denial, deny } from '../core/denial.ts'
import type { ByteBudget } from '../lib/byte-budget.ts'
import { decodeContent } from '../lib/content-encoding.ts'
import { andThenWith, type Later } from '../lib/later.ts'
import { type Exchange, NO_BODY } from './exchange.ts'

export interface ReadBodyDeps {
  settings: { maxBodyBytes: number }
  bodies: ByteBudget
}

interface GiveDeps {
  bodies: Pick<ByteBudget, 'give'>
}

/** Never waits and is never refused. */
const SMALL_BYTES = 64 * 1024
/** Announced bodies up to this are taken into account, and in, as one. */
const AT_ONCE_BYTES = 1024 * 1024
/** JSON shrinks to a tenth at best, usually; one that unpacks to more is unpacked again with the whole bound. */
const USUAL_RATIO = 20
const RETRY_AFTER_SECONDS = 2

export function readBody(deps: ReadBodyDeps, exchange: Exchange): Later<Uint8Array | Denial> {
  const { request } = exchange.call
  const { maxBodyBytes } = deps.settings
  const declared = request.headers.get('content-length')
  const length = declared === null ? null : Number(declared)
  if (length !== null && length > maxBodyBytes) return tooLarge(maxBodyBytes)
  const raw =
    length !== null && length <= AT_ONCE_BYTES
      ? readAtOnce(deps, exchange, length)
      : readCounted(deps, exchange, length)
  const encoding = request.headers.get('content-encoding')
  return encoding === null ? raw : decodeLater(deps, exchange, raw, encoding)
}

async function decodeLater(
  deps: ReadBodyDeps,
  exchange: Exchange,
  raw: Later<Uint8Array | Denial>,
  encoding: string,
): Promise<Uint8Array | Denial> {
  const bytes = await raw
  return bytes instanceof Uint8Array ? decode(deps, exchange, bytes, encoding) : bytes
}

function tooLarge(maxBodyBytes: number): Denial {
  return deny('body_too_large', `The request body is larger than the ${maxBodyBytes} bytes allowed.`)
}

function memoryFull(): Denial {
  const message = 'The gateway is handling too many large requests at the moment. Try again.'
  return deny('request_memory_full', message, RETRY_AFTER_SECONDS)
}

/** False: there was no room in time. A body waits once: many that grow beside each other would else wait for each other again and again. */
function take({ bodies }: ReadBodyDeps, exchange: Exchange, bytes: number, mayWait = true): Later<boolean> {
  const taken = exchange.heldBytes + bytes <= SMALL_BYTES ? bodies.force(bytes) : bodies.take(bytes, mayWait)
  return andThenWith(taken, { exchange, bytes }, noteTaken)
}

function noteTaken({ exchange, bytes }: { exchange: Exchange; bytes: number }, granted: boolean): boolean {
  if (granted) exchange.heldBytes += bytes
  return granted
}

function readAtOnce(deps: ReadBodyDeps, exchange: Exchange, bytes: number): Later<Uint8Array | Denial> {
  return andThenWith(take(deps, exchange, bytes), exchange, readIf)
}

function readIf(exchange: Exchange, taken: boolean): Later<Uint8Array | Denial> {
  return taken ? exchange.call.request.bytes() : memoryFull()
}

async function readCounted(
  deps: ReadBodyDeps,
  exchange: Exchange,
  length: number | null,
): Promise<Uint8Array | Denial> {
  const { body } = exchange.call.request
  if (!body) return new Uint8Array()
  const { maxBodyBytes } = deps.settings
  // Of an announced length: its memory is the system's until bytes are put there.
  const whole = length === null ? null : new Uint8Array(length)
  const chunks: Uint8Array[] = []
  let size = 0
  let waited = false
  const reader = body.getReader()
  // Ended for its age (USE-3): nobody waits for the rest.
  exchange.clientWatcher = {
    clientLeft() {
      if (exchange.settled) reader.cancel().catch(() => undefined)
    },
  }
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return whole === null ? Buffer.concat(chunks) : whole.subarray(0, size)
    const fits = size + value.length <= (length ?? maxBodyBytes)
    const taken: Later<boolean> = fits && take(deps, exchange, value.length, !waited)
    waited ||= taken instanceof Promise
    if (!(await taken)) {
      await reader.cancel().catch(() => undefined)
      return fits ? memoryFull() : tooLarge(maxBodyBytes)
    }
    if (whole === null) chunks.push(value)
    else whole.set(value, size)
    size += value.length
  }
}

/** Room is taken before anything is unpacked: a few kilobytes can unpack to gigabytes. */
async function decode(
  deps: ReadBodyDeps,
  exchange: Exchange,
  raw: Uint8Array,
  encoding: string,
): Promise<Uint8Array | Denial> {
  const { maxBodyBytes } = deps.settings
  const usual = Math.min(maxBodyBytes, SMALL_BYTES + raw.length * USUAL_RATIO)
  for (const bound of new Set([usual, maxBodyBytes])) {
    if (!(await take(deps, exchange, bound))) return memoryFull()
    const decoded = await decodeContent(raw, encoding, bound)
    const kept = typeof decoded === 'string' ? 0 : decoded === raw ? 0 : decoded.length
    deps.bodies.give(bound - kept)
    exchange.heldBytes -= bound - kept
    if (typeof decoded !== 'string') return decoded
    if (decoded !== 'too-large') return wrongEncoding(decoded)
  }
  return tooLarge(maxBodyBytes)
}

function wrongEncoding(fault: 'unsupported' | 'invalid'): Denial {
  return fault === 'unsupported'
    ? deny('invalid_encoding', 'content-encoding: only gzip, deflate, br and zstd are understood.')
    : deny('invalid_encoding', 'The request body does not match its content-encoding.')
}

/** What its body holds of the memory for all bodies; also what came after it was settled (USE-3). */
export function giveBytesBack({ bodies }: GiveDeps, exchange: Exchange): void {
  bodies.give(exchange.heldBytes)
  exchange.heldBytes = 0
}

/** No other account will be asked: an agent's requests are large and their answers take long. What is recorded is kept to the end. */
export function letGoOfBody(deps: GiveDeps, exchange: Exchange): void {
  if (exchange.recording !== null) return
  exchange.body = NO_BODY
  giveBytesBack(deps, exchange)
}
