/**
 * Opens a connection for HTTP/1.1 over `Bun.connect`: TCP, TLS when the target wants it, a CONNECT tunnel when a proxy stands between.
 *
 * Certificates are checked by the runtime against its own CAs and those of `NODE_EXTRA_CA_CERTS` or `SSL_CERT_FILE`, the host name
 * included, exactly as its `fetch` does (both seen on Bun 1.4.5); a `handshake` handler is what tells the reason of a refusal.
 * TLS through a proxy that is itself spoken to over TLS is beyond `upgradeTLS` (Bun 1.4.5: "error" and silence) and refused here.
 *
 * If it fails: `onFailed` is called once, with the stage it failed at; nothing stays open. An attempt cancelled before TCP has connected
 * cannot be taken back from the runtime: its socket is closed the moment it opens, or given up by the kernel.
 */
import { Http1Error } from './http1-error.ts'
import type { Http1Target } from './http1-request.ts'
import { openTunnel } from './http1-tunnel.ts'
import { createWire, ignore, WIRE_HANDLERS, type Wire, type WireSocket } from './http1-wire.ts'

export interface DialOptions {
  /** PEM, in place of the runtime's CAs; null: those. */
  ca: string | null
  connect: typeof Bun.connect
  /** Asked about the address that was connected to, before anything is sent there; an error: hang up. */
  refuseAddress: ((address: string, host: string) => Error | null) | null
}

export interface DialEvents {
  onReady(socket: WireSocket, wire: Wire): void
  onFailed(error: Http1Error): void
}

export interface Dialling {
  /** Nothing is called afterwards. */
  cancel(): void
}

/** As Bun's `fetch` has it: a dead peer is noticed under silence, and NATs keep the flow. */
const TCP_KEEPALIVE_AFTER_MS = 60_000

export function dial(target: Http1Target, options: DialOptions, events: DialEvents): Dialling {
  const wire = createWire()
  let socket: WireSocket | null = null
  let over = false

  function fail(error: Http1Error): void {
    if (over) return
    over = true
    socket?.terminate()
    events.onFailed(error)
  }

  function connected(opened: WireSocket): void {
    const { tunnel } = target
    if (tunnel === null) ready(opened, wire)
    else if (target.secure) fail(new Http1Error('proxy', 'TLS through an https proxy is not supported'))
    else
      openTunnel({ socket: opened, wire, tunnel, tls: tlsTo(tunnel.host), onUpgraded, onReady: ready, onFailed: fail })
  }

  function onUpgraded(secured: WireSocket): void {
    socket = secured
  }

  function ready(usable: WireSocket, usableWire: Wire): void {
    if (over) return
    over = true
    usableWire.onOpen = ignore
    usableWire.onHandshake = ignore
    usable.setKeepAlive(true, TCP_KEEPALIVE_AFTER_MS)
    events.onReady(usable, usableWire)
  }

  function tlsTo(serverName: string): Bun.TLSOptions {
    return options.ca === null ? { serverName } : { serverName, ca: options.ca }
  }

  wire.onOpen = (opened) => {
    socket = opened
    const refused = over ? null : (options.refuseAddress?.(opened.remoteAddress, target.host) ?? null)
    if (over) opened.terminate()
    else if (refused) fail(new Http1Error('refused', refused.message, refused))
    // Over TLS the handshake is still to come.
    else if (!target.secure) connected(opened)
  }
  wire.onHandshake = (ok, error) => {
    if (over || socket === null) return
    if (ok) connected(socket)
    else fail(new Http1Error('tls', error?.message ?? 'TLS handshake failed', error))
  }
  wire.onClose = (error) => fail(connectError(error, target.host))

  const { host: hostname, port, secure } = target
  const tls = secure ? { tls: tlsTo(hostname) } : {}
  try {
    const connecting = options.connect<Wire>({ hostname, port, data: wire, socket: WIRE_HANDLERS, ...tls })
    connecting.catch((error: Error) => fail(connectError(error, hostname)))
  } catch (error) {
    queueMicrotask(() => fail(connectError(error, hostname)))
  }
  return {
    cancel() {
      over = true
      socket?.terminate()
    },
  }
}

function connectError(cause: unknown, host: string): Http1Error {
  const error = new Http1Error('connect', `cannot connect to ${host}`, cause)
  // getaddrinfo's and c-ares' words for "there is no such name" and "nobody could say".
  const dns = error.code !== null && /^(?:ENOTFOUND|ENODATA|ENONAME|EAI_|DNS_)/.test(error.code)
  return dns ? new Http1Error('dns', `cannot find ${host}`, cause) : error
}
