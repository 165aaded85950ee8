/**
 * Takes in a request body, whole and bounded (REL-16): failover needs the bytes anyway, and one `bytes()` costs less than streaming them.
 * A body that says it is too large is refused before it is read; one that doesn't say is counted while it comes.
 *
 * All bodies together have a budget too (OPS-11). While one waits for room nothing more of it is read, and the runtime stops the client. What is
 * small goes ahead: refusing it would free nothing. What is large is counted as it comes, so that a client who announces much and sends
 * little holds up nobody. Bytes taken stand in `exchange.heldBytes`; `settle` gives them back.
 */
import { type Denial, deny } from '../core/denial.ts'
import type { ByteBudget } from '../lib/byte-budget.ts'
import { decodeContent } from '../lib/content-encoding.ts'
import type { Exchange } from './exchange.ts'

export interface ReadBodyDeps {
  settings: { maxBodyBytes: number }
  bodies: ByteBudget
}

/** Never waits and is never refused. */
const SMALL_BYTES = 64 * 1024
/** Announced bodies up to this are taken into account, and in, as one. */
const AT_ONCE_BYTES = 1024 * 1024
/** JSON shrinks to a tenth at best, usually; one that unpacks to more is unpacked again with the whole bound. */
const USUAL_RATIO = 20
const RETRY_AFTER_SECONDS = 2

export async function readBody(deps: ReadBodyDeps, exchange: Exchange): Promise<Uint8Array | Denial> {
  const { request } = exchange.call
  const { maxBodyBytes } = deps.settings
  const declared = request.headers.get('content-length')
  const length = declared === null ? null : Number(declared)
  if (length !== null && length > maxBodyBytes) return tooLarge(maxBodyBytes)
  const raw =
    length !== null && length <= AT_ONCE_BYTES
      ? await readAtOnce(deps, exchange, length)
      : await readCounted(deps, exchange, length)
  const encoding = request.headers.get('content-encoding')
  return encoding === null || !(raw instanceof Uint8Array) ? raw : decode(deps, exchange, raw, encoding)
}

function tooLarge(maxBodyBytes: number): Denial {
  return deny('body_too_large', `The request body is larger than the ${maxBodyBytes} bytes allowed.`)
}

function memoryFull(): Denial {
  const message = 'The gateway is handling too many large requests at the moment. Try again.'
  return deny('request_memory_full', message, RETRY_AFTER_SECONDS)
}

/** False: there was no room in time. A body waits once: many that grow beside each other would else wait for each other again and again. */
function take({ bodies }: ReadBodyDeps, exchange: Exchange, bytes: number, mayWait = true): boolean | Promise<boolean> {
  const taken = exchange.heldBytes + bytes <= SMALL_BYTES ? bodies.force(bytes) : bodies.take(bytes, mayWait)
  if (!(taken instanceof Promise)) return noteTaken(exchange, bytes, taken)
  return taken.then((granted) => noteTaken(exchange, bytes, granted))
}

function noteTaken(exchange: Exchange, bytes: number, taken: boolean): boolean {
  if (taken) exchange.heldBytes += bytes
  return taken
}

async function readAtOnce(deps: ReadBodyDeps, exchange: Exchange, bytes: number): Promise<Uint8Array | Denial> {
  const taken = take(deps, exchange, bytes)
  if (!(taken instanceof Promise ? await taken : taken)) return memoryFull()
  return exchange.call.request.bytes()
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
  exchange.onClientGone = () => {
    if (exchange.settled) reader.cancel().catch(() => undefined)
  }
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return whole === null ? Buffer.concat(chunks) : whole.subarray(0, size)
    const fits = size + value.length <= (length ?? maxBodyBytes)
    const taken: boolean | Promise<boolean> = fits && take(deps, exchange, value.length, !waited)
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
