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
import type { Socket, SocketHandler } from 'bun'
import { Http1Error } from './http1-error.ts'
import { createHttp1Parser } from './http1-parser.ts'
import { connectHead, type Http1Target } from './http1-request.ts'

/** What a socket calls: replaced as the connection goes from stage to stage, so that data costs one call wherever it is. */
export interface Wire {
  onOpen(socket: WireSocket): void
  onHandshake(socket: WireSocket, ok: boolean, error: Error | null): void
  onData(bytes: Uint8Array): void
  onDrain(): void
  onClose(error: Error | null): void
  /** What broke the connection, for the close that follows. */
  error: Error | null
}

export type WireSocket = Socket<Wire>

export interface DialOptions {
  /** PEM, in place of the runtime's CAs; null: those. */
  ca: string | null
  connect: typeof Bun.connect
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

const UINT8_HANDLERS: SocketHandler<Wire, 'uint8array'> = {
  binaryType: 'uint8array',
  open: (socket) => socket.data.onOpen(socket),
  handshake: (socket, ok, error) => socket.data.onHandshake(socket, ok, error),
  data: (socket, bytes) => socket.data.onData(bytes),
  drain: (socket) => socket.data.onDrain(),
  // A failed TLS record, or one of our own handlers threw: either way this connection is not to be trusted.
  error(socket, error) {
    socket.data.error ??= error
    socket.terminate()
  },
  close: (socket, error) => socket.data.onClose(socket.data.error ?? error ?? null),
  connectError: (socket, error) => socket.data.onClose(error),
}

/** `Bun.connect` takes any binary type; its types know only Buffer. */
const HANDLERS = UINT8_HANDLERS as unknown as SocketHandler<Wire>

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

  function connected(): void {
    if (target.tunnel) openTunnel(target.tunnel)
    else ready(wire)
  }

  function ready(readyWire: Wire): void {
    over = true
    socket?.setKeepAlive(true, TCP_KEEPALIVE_AFTER_MS)
    events.onReady(socket as WireSocket, readyWire)
  }

  wire.onOpen = (opened) => {
    socket = opened
    if (over) opened.terminate()
    else if (!target.secure) connected()
  }
  wire.onHandshake = (_, ok, error) => {
    if (over) return
    if (ok) connected()
    else fail(tlsError(error))
  }
  wire.onClose = (error) => fail(connectError(error, target.host))

  function openTunnel(tunnel: NonNullable<Http1Target['tunnel']>): void {
    let status = 0
    const parser = createHttp1Parser({
      onHead(head) {
        status = head.status
      },
      onData: () => undefined,
    })
    parser.expect('CONNECT')
    wire.onClose = () => fail(new Http1Error('proxy', 'the proxy closed the connection'))
    wire.onData = (bytes) => {
      let used: number
      try {
        used = parser.push(bytes)
      } catch {
        fail(new Http1Error('proxy', 'the proxy does not speak HTTP/1.1'))
        return
      }
      if (status === 0) return
      // The origin does not speak before it is spoken to: bytes after the proxy's answer belong to nobody.
      if (status < 200 || status > 299) fail(new Http1Error('proxy', `the proxy answered ${status}`, String(status)))
      else if (used < bytes.length) fail(new Http1Error('proxy', 'bytes after the answer of the proxy'))
      else upgrade(tunnel.host)
    }
    if (target.secure) fail(new Http1Error('proxy', 'TLS through an https proxy is not supported'))
    else socket?.write(connectHead(tunnel))
  }

  function upgrade(serverName: string): void {
    const inner = createWire()
    inner.onHandshake = wire.onHandshake = (_, ok, error) => {
      if (over) return
      if (ok) ready(inner)
      else fail(tlsError(error))
    }
    inner.onClose = (error) => fail(connectError(error, serverName))
    // The socket beneath goes on telling of encrypted bytes.
    wire.onData = () => undefined
    wire.onClose = () => undefined
    const [, tls] = (socket as WireSocket).upgradeTLS<Wire>({
      tls: tlsOptions(options, serverName),
      socket: HANDLERS,
      data: inner,
    })
    socket = tls
  }

  try {
    options
      .connect<Wire>({
        hostname: target.host,
        port: target.port,
        data: wire,
        socket: HANDLERS,
        ...(target.secure ? { tls: tlsOptions(options, target.host) } : {}),
      })
      .catch((error: Error) => fail(connectError(error, target.host)))
  } catch (error) {
    queueMicrotask(() => fail(connectError(error as Error, target.host)))
  }
  return {
    cancel() {
      over = true
      socket?.terminate()
    },
  }
}

function createWire(): Wire {
  return {
    onOpen: () => undefined,
    onHandshake: () => undefined,
    onData: () => undefined,
    onDrain: () => undefined,
    onClose: () => undefined,
    error: null,
  }
}

function tlsOptions(options: DialOptions, serverName: string): Bun.TLSOptions {
  return options.ca === null ? { serverName } : { serverName, ca: options.ca }
}

function tlsError(error: Error | null): Http1Error {
  return new Http1Error('tls', error?.message ?? 'TLS handshake failed', codeOf(error))
}

function connectError(error: Error | null, host: string): Http1Error {
  const code = codeOf(error)
  // getaddrinfo's and c-ares' words for "there is no such name" and "nobody could say".
  const dns = code !== null && /^(?:ENOTFOUND|ENODATA|ENONAME|EAI_|DNS_)/.test(code)
  return new Http1Error(dns ? 'dns' : 'connect', `cannot connect to ${host}`, code)
}

function codeOf(error: Error | null): string | null {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : null
}
