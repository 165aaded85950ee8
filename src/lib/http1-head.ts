/**
 * Reads the head of an HTTP/1.1 response: status line, fields, and what they say about where the body ends (RFC 9112, section 6.3).
 * Pure. Strict, because two readings of one head are how responses get smuggled into each other on a kept-alive connection:
 *
 * - no obs-fold, no space before a colon, no control character in a value, no bare CR; a bare LF ends a line (section 2.2 allows it and
 *   hand-written servers do it), in the head and trailers only: chunk framing needs its CRLF;
 * - `content-length` given more than once must agree; with `transfer-encoding` beside it the latter counts (section 6.3) and the connection
 *   is not used again;
 * - the only transfer coding is `chunked`, once: no other was asked for, so that any other is an error of the peer.
 */
import { HeaderList } from './header-list.ts'
import { Http1Error } from './http1-error.ts'

export interface Http1Head {
  status: number
  headers: HeaderList
  /** How the end of the body is known. `close`: by the end of the connection. */
  framing: 'none' | 'length' | 'chunked' | 'close'
  /** Body bytes to come when `framing` is `length`, else 0. */
  contentLength: number
  /** May another request follow on this connection once the body has ended? */
  reusable: boolean
  /** `keep-alive: timeout=…`: how long the peer means to keep an idle connection; null when it does not say. */
  keepAliveMs: number | null
}

const STATUS_LINE = /HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?\r?\n/y
/** Fields with their line ends. What does not match: obs-fold, no colon or a space before it, control characters, a bare CR. */
const FIELDS = /(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r?\n)*/y

/** `text`: the lines of a head as latin-1, each with its end, without the empty one. `method`: of the request, since HEAD has no body. */
export function parseHead(text: string, method: string, mostFields: number): Http1Head {
  STATUS_LINE.lastIndex = 0
  const match = STATUS_LINE.exec(text)
  if (!match) throw new Http1Error('protocol', 'not an HTTP/1.1 status line')
  const status = Number(match[2])
  const headers = parseFields(text, STATUS_LINE.lastIndex, mostFields)
  const length = contentLengthOf(headers.get('content-length'))
  const chunked = isChunked(headers.get('transfer-encoding'))
  const bodiless = method === 'HEAD' || status < 200 || status === 204 || status === 304
  const tunnel = method === 'CONNECT' && status >= 200 && status < 300
  const framing =
    bodiless || tunnel || (!chunked && length === 0)
      ? 'none'
      : chunked
        ? 'chunked'
        : length === null
          ? 'close'
          : 'length'
  const ambiguous = chunked && length !== null
  return {
    status,
    headers,
    framing,
    contentLength: framing === 'length' ? (length ?? 0) : 0,
    reusable: match[1] === '1' && framing !== 'close' && !ambiguous && !hasToken(headers.get('connection'), 'close'),
    keepAliveMs: keepAliveMsOf(headers.get('keep-alive')),
  }
}

/** The fields from a position on; trailers too, which are checked and then forgotten. */
export function parseFields(text: string, start: number, mostFields: number): HeaderList {
  FIELDS.lastIndex = start
  if (!FIELDS.test(text) || FIELDS.lastIndex < text.length) throw new Http1Error('protocol', 'malformed header field')
  const headers = new HeaderList()
  const fields = headers.appendLines(start === 0 ? text : text.slice(start))
  if (fields > mostFields) throw new Http1Error('protocol', `more than ${mostFields} header fields`)
  return headers
}

const LENGTH = /^\d{1,15}$/

/** Repeated fields stand joined with commas; every one of them must say the same. */
function contentLengthOf(value: string | null): number | null {
  if (value === null) return null
  return LENGTH.test(value) ? Number(value) : repeatedLength(value)
}

function repeatedLength(value: string): number {
  const [length = '', ...others] = value.split(',').map((one) => one.trim())
  if (!LENGTH.test(length) || others.some((other) => other !== length)) {
    throw new Http1Error('protocol', 'malformed or contradictory content-length')
  }
  return Number(length)
}

function isChunked(value: string | null): boolean {
  if (value === null) return false
  if (value.trim().toLowerCase() === 'chunked') return true
  throw new Http1Error('protocol', 'transfer-encoding other than chunked')
}

function hasToken(value: string | null, token: string): boolean {
  if (value === null) return false
  const lower = value.toLowerCase()
  // Nearly always there is only one.
  if (!lower.includes(',')) return lower === token
  for (const one of lower.split(',')) if (one.trim() === token) return true
  return false
}

function keepAliveMsOf(value: string | null): number | null {
  const match = value === null ? null : /(?:^|[,;\s])timeout\s*=\s*"?(\d{1,6})/i.exec(value)
  return match ? Number(match[1]) * 1000 : null
}
