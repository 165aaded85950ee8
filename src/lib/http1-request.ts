/**
 * Writes the head of an HTTP/1.1 request, and says whom to dial for a URL with or without a proxy. Pure.
 *
 * Nothing that could end a line gets into a head: names are tokens, values printable latin-1. What frames the message (`content-length`,
 * `transfer-encoding`, `connection`) is this client's alone; given by the caller, it is left out.
 */
import { Http1Error } from './http1-error.ts'

export interface Http1Request {
  url: string
  method: string
  headers: Record<string, string>
  body: Uint8Array | null
  /** `http://` or `https://`, with credentials if any; null: none. */
  proxyUrl: string | null
}

/** Whom to connect to and how; equal `key`s can share connections. */
export interface Http1Target {
  key: string
  /** What is dialled: the proxy if there is one. */
  host: string
  port: number
  secure: boolean
  /** What is asked of the proxy when the origin is spoken to over TLS. */
  tunnel: Http1Tunnel | null
}

export interface Http1Tunnel {
  authority: string
  host: string
  proxyAuthorization: string | null
}

export interface Http1Route {
  target: Http1Target
  /** As in the request line: path and query, or the whole URL for a proxy. */
  requestTarget: string
  authority: string
  /** Credentials that the URL of the origin, or of a proxy that forwards, has for the request's own head. */
  authorization: string | null
  proxyAuthorization: string | null
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/
const FRAMING = new Set(['content-length', 'transfer-encoding', 'connection', 'keep-alive', 'te', 'trailer', 'upgrade'])

export function routeOf(url: string, proxyUrl: string | null): Http1Route {
  const origin = parseUrl(url, 'URL')
  const proxy = proxyUrl === null ? null : parseUrl(proxyUrl, 'proxy URL')
  const secure = origin.protocol === 'https:'
  const path = origin.pathname + origin.search
  const dialled = proxy ?? origin
  const proxyAuthorization = proxy ? basicOf(proxy) : null
  const tunnelled = proxy !== null && secure
  return {
    target: {
      key: proxy ? `${origin.protocol}//${origin.host} via ${proxyUrl}` : `${origin.protocol}//${origin.host}`,
      host: hostOf(dialled),
      port: portOf(dialled),
      secure: dialled.protocol === 'https:',
      tunnel: tunnelled
        ? { authority: `${origin.hostname}:${portOf(origin)}`, host: hostOf(origin), proxyAuthorization }
        : null,
    },
    requestTarget: proxy && !secure ? `http://${origin.host}${path}` : path,
    authority: origin.host,
    authorization: basicOf(origin),
    proxyAuthorization: tunnelled ? null : proxyAuthorization,
  }
}

/** Latin-1, with the empty line that ends it. */
export function requestHead(request: Http1Request, route: Http1Route): string {
  if (!TOKEN.test(request.method)) throw new Http1Error('request', 'malformed method')
  let text = `${request.method} ${route.requestTarget} HTTP/1.1\r\n`
  let hasHost = false
  let hasAuthorization = false
  for (const name in request.headers) {
    const value = request.headers[name] as string
    const lower = name.toLowerCase()
    if (FRAMING.has(lower)) continue
    if (!TOKEN.test(name) || NOT_IN_VALUE.test(value))
      throw new Http1Error('request', `malformed request header ${JSON.stringify(name)}`)
    if (lower === 'host') hasHost = true
    if (lower === 'authorization') hasAuthorization = true
    text += `${name}: ${value}\r\n`
  }
  if (!hasHost) text += `host: ${route.authority}\r\n`
  if (route.authorization !== null && !hasAuthorization) text += `authorization: ${route.authorization}\r\n`
  if (route.proxyAuthorization !== null) text += `proxy-authorization: ${route.proxyAuthorization}\r\n`
  const { body, method } = request
  if (body !== null) text += `content-length: ${body.length}\r\n`
  else if (method !== 'GET' && method !== 'HEAD') text += 'content-length: 0\r\n'
  return `${text}\r\n`
}

export function connectHead(tunnel: Http1Tunnel): Buffer {
  const { authority, proxyAuthorization } = tunnel
  const credentials = proxyAuthorization === null ? '' : `proxy-authorization: ${proxyAuthorization}\r\n`
  return Buffer.from(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${credentials}\r\n`, 'latin1')
}

function parseUrl(text: string, what: string): URL {
  const url = URL.parse(text)
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  throw new Http1Error('request', `${what} must be http:// or https://`)
}

function hostOf(url: URL): string {
  return url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname
}

function portOf(url: URL): number {
  return Number(url.port || (url.protocol === 'https:' ? 443 : 80))
}

function basicOf(url: URL): string | null {
  if (url.username === '' && url.password === '') return null
  const credentials = `${decode(url.username)}:${decode(url.password)}`
  return `Basic ${Buffer.from(credentials).toString('base64')}`
}

/** A lone percent sign in a password is a percent sign. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
