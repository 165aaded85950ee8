/**
 * Asks a proxy for a tunnel (CONNECT, RFC 9110, 9.3.6) over an open connection, and starts TLS with the origin inside it.
 *
 * If it fails: `onFailed` once; closing the socket is the caller's. The encrypted bytes are handed to JavaScript beside the clear ones
 * (a buffer for each record, dropped here): taking that handler away leaves the TLS socket closed for writing (Bun 1.4.5).
 */
import { Http1Error } from './http1-error.ts'
import { createHttp1Parser } from './http1-parser.ts'
import { connectHead, type Http1Tunnel } from './http1-request.ts'
import { createWire, ignore, WIRE_HANDLERS, type Wire, type WireSocket } from './http1-wire.ts'

export interface TunnelInput {
  socket: WireSocket
  wire: Wire
  tunnel: Http1Tunnel
  tls: Bun.TLSOptions
  /** From here on it is this socket that closes the connection; the one beneath does no longer. */
  onUpgraded(socket: WireSocket): void
  onReady(socket: WireSocket, wire: Wire): void
  onFailed(error: Http1Error): void
}

export function openTunnel({ socket, wire, tunnel, tls, onUpgraded, onReady, onFailed }: TunnelInput): void {
  let status = 0
  const parser = createHttp1Parser({
    onHead(head) {
      status = head.status
    },
    onData: ignore,
  })
  parser.expect('CONNECT')
  wire.onClose = (error) => onFailed(new Http1Error('proxy', 'the proxy closed the connection', error))
  wire.onData = (bytes) => {
    let used = 0
    try {
      used = parser.push(bytes)
    } catch (error) {
      onFailed(new Http1Error('proxy', 'the proxy does not speak HTTP/1.1', error))
      return
    }
    if (status === 0) return
    // The origin does not speak before it is spoken to: bytes after the proxy's answer belong to nobody.
    if (status < 200 || status > 299) onFailed(new Http1Error('proxy', `the proxy answered ${status}`))
    else if (used < bytes.length) onFailed(new Http1Error('proxy', 'bytes after the answer of the proxy'))
    else startTls()
  }

  function startTls(): void {
    wire.onData = ignore
    wire.onClose = ignore
    const inner = createWire()
    const [, secured] = socket.upgradeTLS<Wire>({ tls, socket: WIRE_HANDLERS, data: inner })
    onUpgraded(secured)
    inner.onHandshake = (ok, error) => {
      if (ok) onReady(secured, inner)
      else onFailed(new Http1Error('tls', error?.message ?? 'TLS handshake failed', error))
    }
    inner.onClose = (error) => onFailed(new Http1Error('tls', `closed while TLS with ${tunnel.host} began`, error))
  }

  socket.write(connectHead(tunnel))
}
