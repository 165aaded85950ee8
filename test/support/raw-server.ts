/**
 * A TCP (or TLS) server that does to each connection exactly what a script says: the bytes, the cuts and the silences of an upstream,
 * nothing more. Scripts wait for what the other side does, never for time.
 */
import net from 'node:net'
import tls from 'node:tls'

export interface RawRequest {
  /** Request line and fields, without the empty line. */
  head: string
  body: Buffer
}

export interface Peer {
  socket: net.Socket
  /** The number of this connection, from 0. */
  index: number
  /** The next request with its content-length body; rejects when the connection closes before it is whole. */
  request(): Promise<RawRequest>
  /** Bytes as they come, from what is left after requests on; null: the other side is done. */
  read(): Promise<Buffer | null>
  /** Resolves once the bytes are with the kernel. */
  write(bytes: string | Uint8Array): Promise<void>
  /** FIN. */
  end(): void
  /** RST. */
  reset(): void
  closed: Promise<void>
}

export interface RawServer {
  port: number
  url: string
  accepted: number
  /** Sockets that are open now. */
  readonly open: number
  /** Resolves as soon as no socket is open (at once if none is). */
  allClosed(): Promise<void>
  stop(): Promise<void>
}

export interface RawServerOptions {
  tls?: { key: string; cert: string } | null
  host?: string
}

export async function startRawServer(
  script: (peer: Peer) => Promise<void>,
  options: RawServerOptions = {},
): Promise<RawServer> {
  const sockets = new Set<net.Socket>()
  let waiters: (() => void)[] = []
  const onConnection = (socket: net.Socket) => {
    const index = state.accepted++
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      sockets.delete(socket)
      if (sockets.size > 0) return
      for (const resolve of waiters) resolve()
      waiters = []
    })
    // A script ends with an error when its connection is taken away from it, which is what many a test is about.
    void script(createPeer(socket, index)).catch(() => undefined)
  }
  const server = options.tls
    ? tls.createServer(options.tls, onConnection)
    : net.createServer({ allowHalfOpen: false }, onConnection)
  server.on('tlsClientError', () => undefined)
  // Over TLS this is the socket beneath, which is there before (and without) a handshake.
  const beneath = new Set<net.Socket>()
  server.on('connection', (socket: net.Socket) => {
    beneath.add(socket)
    socket.on('close', () => beneath.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, options.host ?? '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  const state: RawServer = {
    port,
    url: `${options.tls ? 'https' : 'http'}://localhost:${port}`,
    accepted: 0,
    get open() {
      return sockets.size
    },
    allClosed: () => (sockets.size === 0 ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
    async stop() {
      for (const socket of [...sockets, ...beneath]) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return state
}

function createPeer(socket: net.Socket, index: number): Peer {
  let received: Buffer[] = []
  let ended = false
  let wake: (() => void) | null = null
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const stir = () => {
    wake?.()
    wake = null
  }
  socket.on('data', (bytes: Buffer) => {
    received.push(bytes)
    stir()
  })
  for (const event of ['end', 'close'] as const) {
    socket.on(event, () => {
      ended = true
      stir()
    })
  }

  async function read(): Promise<Buffer | null> {
    while (received.length === 0 && !ended) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    return received.shift() ?? null
  }

  return {
    socket,
    index,
    read,
    async request() {
      let bytes: Buffer = Buffer.alloc(0)
      for (;;) {
        const end = bytes.indexOf('\r\n\r\n')
        if (end >= 0) {
          const head = bytes.toString('latin1', 0, end)
          const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0)
          if (bytes.length >= end + 4 + length) {
            received = [bytes.subarray(end + 4 + length), ...received].filter((rest) => rest.length > 0)
            return { head, body: bytes.subarray(end + 4, end + 4 + length) }
          }
        }
        const more = await read()
        if (more === null) throw new Error('closed before the request was whole')
        bytes = Buffer.concat([bytes, more])
      }
    },
    write: (bytes) =>
      new Promise((resolve, reject) => {
        socket.write(bytes, (error) => (error ? reject(error) : resolve()))
      }),
    end: () => void socket.end(),
    reset: () => void socket.resetAndDestroy(),
    closed,
  }
}
