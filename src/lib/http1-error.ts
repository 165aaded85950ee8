/**
 * What can go wrong with an HTTP/1.1 exchange, by where it went wrong. Messages name hosts and codes, never headers, bodies or credentials.
 *
 * `dns`, `connect`, `tls`, `proxy`, `timeout`: no connection was had. `refused`: its address may not be spoken to. `closed`: the peer closed before the answer was whole.
 * `protocol`: the peer does not speak HTTP/1.1 as RFC 9112 has it. `request`: what was to be sent cannot be sent.
 */
export type Http1ErrorKind =
  | 'dns'
  | 'connect'
  | 'tls'
  | 'proxy'
  | 'timeout'
  | 'refused'
  | 'closed'
  | 'protocol'
  | 'request'

export class Http1Error extends Error {
  readonly kind: Http1ErrorKind
  /** The system's or TLS library's own word (ECONNREFUSED, ERR_TLS_CERT_ALTNAME_INVALID), when there is one. */
  readonly code: string | null

  constructor(kind: Http1ErrorKind, message: string, cause: unknown = null) {
    super(message, cause === null ? undefined : { cause })
    this.name = 'Http1Error'
    this.kind = kind
    const code = (cause as { code?: unknown } | null)?.code
    this.code = typeof code === 'string' ? code : null
  }
}
