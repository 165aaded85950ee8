/**
 * Requests that no client would send, made from ones that they do: bodies cut, flipped and nested, paths in odd escapes, headers that
 * contradict each other. The same seed makes the same requests, so that what is found can be found again.
 */
import { gzipSync } from 'node:zlib'
import { DIALECTS } from './dialects.ts'

export interface FuzzedRequest {
  bytes: Buffer
  /** Nothing can be told of the end of the answer: the connection is of no use afterwards. */
  closes: boolean
}

export type Random = () => number

/** mulberry32: small, and good enough to choose with. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const pick = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)]!
const chance = (random: Random, share: number) => random() < share
const whole = (random: Random, below: number) => Math.floor(random() * below)

const PATHS = [
  ...DIALECTS.flatMap(({ path, wholePath }) => [path, wholePath]),
  ...[
    '/v1/embeddings',
    '/v1/messages/count_tokens',
    '/v1/responses/compact',
    '/responses',
    '/backend-api/codex/responses',
  ],
  ...['/v1/models', '/v1/models/gpt-5-mini', '/v1beta/models', '/v1/key', '/v1beta/models/x:countTokens', '/api/hello'],
  ...[
    '/',
    '/healthz',
    '/readyz',
    '/metrics',
    '/swagger',
    '/swagger/json',
    '/admin/users',
    '/v1/nowhere',
    '/v1beta/models/',
  ],
]
const METHODS = [
  'POST',
  'POST',
  'POST',
  'POST',
  'POST',
  'POST',
  'GET',
  'HEAD',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'TRACE',
  'PROPFIND',
  'X',
]
const ODD_TEXT = [
  '\u0000',
  '\ud800',
  '\\u0000',
  '\\ud800',
  '\u2028',
  '%00',
  '%',
  '%zz',
  '../',
  '\\',
  '"',
  "'",
  '{{',
  '😀',
  '\u202e',
  '-1',
  '1e999',
  'NaN',
  'null',
  '__proto__',
  'constructor',
]
const ODD_VALUES = [
  'null',
  'true',
  '-0',
  '1e400',
  '-1',
  '9007199254740993',
  '""',
  '[]',
  '{}',
  '[[[[]]]]',
  '"\\u0000"',
  '"\\ud800"',
  '{"__proto__":1}',
  '"\u0000"',
  '{"a":{"a":{"a":[]}}}',
  '[null]',
]
const NAMES = [
  'model',
  'stream',
  'stream_options',
  'max_tokens',
  'max_output_tokens',
  'messages',
  'input',
  'contents',
  'metadata',
  'user',
  'tools',
  'previous_response_id',
  'prompt_cache_key',
  'generationConfig',
]

function fuzzBody(random: Random): Buffer {
  const dialect = pick(random, DIALECTS)
  let text = chance(random, 0.5) ? dialect.request : dialect.wholeRequest
  for (let i = whole(random, 4); i > 0; i--) {
    const at = whole(random, text.length + 1)
    const kind = whole(random, 8)
    if (kind === 0) text = text.slice(0, at)
    else if (kind === 1) text = text.slice(0, at) + pick(random, ODD_TEXT) + text.slice(at)
    else if (kind === 2) text = text.replace('{', `{"${pick(random, NAMES)}":${pick(random, ODD_VALUES)},`)
    else if (kind === 3) text = text.replace(/}\s*$/, `,"${pick(random, NAMES)}":${pick(random, ODD_VALUES)}}`)
    else if (kind === 4) text = text.replace(/:("[^"]*"|true|\[[^\]]*\])/, `:${pick(random, ODD_VALUES)}`)
    else if (kind === 5) text = `${'['.repeat(whole(random, 5000))}${text}`
    else if (kind === 6) text = text.replace(/"(gpt|claude|gemini)[^"]*"/, `"${'m'.repeat(whole(random, 20_000))}"`)
    else text = `${text}${text}`
  }
  const bytes = Buffer.from(text)
  if (bytes.length > 0 && chance(random, 0.2)) bytes[whole(random, bytes.length)] = whole(random, 256)
  return bytes
}

function fuzzPath(random: Random): string {
  let path = pick(random, PATHS)
  if (chance(random, 0.15)) {
    const at = whole(random, path.length + 1)
    path = path.slice(0, at) + encodeURI(pick(random, ODD_TEXT).toWellFormed()) + path.slice(at)
  }
  if (chance(random, 0.1))
    path = path.replace(/[a-z]/g, (letter) => (chance(random, 0.2) ? `%${letter.charCodeAt(0).toString(16)}` : letter))
  if (chance(random, 0.1)) path += `${path.includes('?') ? '&' : '?'}key=${'k'.repeat(whole(random, 700))}`
  if (chance(random, 0.05)) path += `${path.includes('?') ? '&' : '?'}key=x${'&%=%zz&'.repeat(whole(random, 50))}`
  return path.replaceAll(' ', '%20').replaceAll('\u0000', '%00')
}

function fuzzHeaders(random: Random, key: string): string[] {
  const headers: string[] = []
  const credential = whole(random, 10)
  if (credential < 6) headers.push(`authorization: Bearer ${key}`)
  else if (credential === 6) headers.push(`x-api-key: ${key}`)
  else if (credential === 7)
    headers.push(`x-goog-api-key: ${key}`, `authorization: ${pick(random, ['Basic', 'Bearer', ''])}`)
  else if (credential === 8) headers.push(`authorization: Bearer ${'t'.repeat(whole(random, 3000))}`)
  const odd = [
    'content-encoding: gzip',
    'content-encoding: br, zstd, gzip, deflate',
    'content-encoding: ,',
    'content-type: text/plain; charset=utf-7',
    'content-type: multipart/form-data; boundary=',
    'accept: \u00ff',
    'anthropic-version: 2023-06-01',
    'anthropic-beta: a,b,,c',
    'upgrade: websocket',
    'range: bytes=0-0',
    'if-none-match: *',
    `traceparent: 00-${'0'.repeat(32)}-x-01`,
    `user-agent: ${'u'.repeat(whole(random, 4000))}`,
    'x-forwarded-for: 1.2.3.4, ::1, unknown, 999.1.1.1',
    'accept-encoding: *;q=9',
    `session_id: ${pick(random, ODD_TEXT).replace(/[^\x20-\x7e]/g, '')}`,
  ]
  for (let i = whole(random, 4); i > 0; i--) headers.push(pick(random, odd))
  return headers
}

export function fuzzRequest(random: Random, { key, host }: { key: string; host: string }): FuzzedRequest {
  const method = pick(random, METHODS)
  const headers = fuzzHeaders(random, key)
  let body = method === 'GET' || method === 'HEAD' ? Buffer.alloc(0) : fuzzBody(random)
  if (headers.includes('content-encoding: gzip') && chance(random, 0.7)) body = gzipSync(body)
  const framing = whole(random, 12)
  if (framing === 0) {
    headers.push('transfer-encoding: chunked')
    const size = chance(random, 0.5) ? body.length : whole(random, 100)
    body = Buffer.concat([Buffer.from(`${size.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')])
  } else if (framing === 1)
    headers.push(`content-length: ${pick(random, ['-1', 'x', '1e3', '0x10', '99999999999999999999', ''])}`)
  else if (method !== 'GET' && method !== 'HEAD') headers.push(`content-length: ${body.length}`)
  // Of these nobody knows where they end.
  const closes =
    framing < 2 || method === 'TRACE' || method === 'X' || headers.some((header) => header.startsWith('upgrade'))
  if (closes) headers.push('connection: close')
  const hostLine = chance(random, 0.05) ? pick(random, ['a b', '', '[::', 'x/y', '%zz']) : host
  const head = [`${method} ${fuzzPath(random)} HTTP/1.1`, `host: ${hostLine}`, ...headers, '', ''].join('\r\n')
  return { bytes: Buffer.concat([Buffer.from(head, 'latin1'), body]), closes }
}
