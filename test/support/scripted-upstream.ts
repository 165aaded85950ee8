/**
 * A provider played by the test: a TCP server that answers as it is told, byte by byte if need be, and remembers what it was sent. It speaks
 * HTTP/1.1 by hand, because the tests are about what libraries would mend: split bytes, cut bodies, resets, headers as they were spelled.
 */
import net from 'node:net'
import { createMessageReader, type MessageHead } from './http-message.ts'

export interface SeenRequest extends MessageHead {
  method: string
  /** Path and query, as they stand in the request line. */
  target: string
  body: Buffer
}

export type HeaderFields = Record<string, string | string[]>

/** The answer to one request. Without a `content-length` it is sent in chunks, one for each `write`. */
export interface Reply {
  head(status: number, headers?: HeaderFields): void
  /** Resolves when the kernel has taken the bytes: never, while the other side does not read. */
  write(bytes: Uint8Array | string): Promise<void>
  /** The end as it should be. */
  end(): void
  /** Closes in the middle: no last chunk. */
  cut(): void
  /** Closes with a reset. */
  reset(): void
  /** The other side has closed the connection. */
  readonly gone: boolean
  /** Resolves when it does so before the answer has ended. */
  whenGone: Promise<void>
}

export type Script = (request: SeenRequest, reply: Reply) => void | Promise<void>

export interface ScriptedUpstream {
  url: string
  port: number
  requests: SeenRequest[]
  /** Connections that are open now, idle ones too. */
  readonly sockets: number
  /** Requests whose answer has not ended and whose connection is open. */
  readonly busy: number
  /** How requests are answered from now on. */
  script: Script
  stop(): Promise<void>
}

export async function startUpstream(script: Script = () => undefined): Promise<ScriptedUpstream> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('close', () => sockets.delete(socket))
    // A reset is what some tests are about.
    socket.on('error', () => undefined)
    serve(socket, upstream, running)
  })
  const running = new Set<Reply>()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 4096, resolve))
  const { port } = server.address() as net.AddressInfo
  const upstream: ScriptedUpstream = {
    url: `http://127.0.0.1:${port}`,
    port,
    requests: [],
    get sockets() {
      return sockets.size
    },
    get busy() {
      return running.size
    },
    script,
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
  return upstream
}

function serve(socket: net.Socket, upstream: ScriptedUpstream, running: Set<Reply>): void {
  let reader = createMessageReader({ kind: 'request' })
  socket.on('data', (bytes) => {
    let rest: Buffer = bytes as Buffer
    while (rest.length > 0) {
      rest = reader.push(rest)
      if (!reader.done || reader.head === null) return
      const [method = '', target = ''] = reader.head.startLine.split(' ')
      const request: SeenRequest = { ...reader.head, method, target, body: Buffer.concat(reader.body) }
      reader = createMessageReader({ kind: 'request' })
      upstream.requests.push(request)
      const reply = createReply(socket, () => running.delete(reply))
      running.add(reply)
      void Promise.resolve(upstream.script(request, reply)).catch((error) => {
        console.error('the script of an upstream failed:', error)
        reply.reset()
      })
    }
  })
}

function createReply(socket: net.Socket, onOver: () => void): Reply {
  let chunked = true
  const closed = Promise.withResolvers<void>()
  const onClose = () => {
    onOver()
    closed.resolve()
  }
  /** The answer is over as far as the script is concerned; what becomes of the connection is no longer its business. */
  const finish = () => {
    socket.off('close', onClose)
    onOver()
  }
  socket.once('close', onClose)
  return {
    head(status, headers = {}) {
      const fields = Object.entries(headers).flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}`))
      chunked = !fields.some((field) => /^(content-length|connection: close)/i.test(field))
      if (chunked) fields.push('transfer-encoding: chunked')
      socket.write([`HTTP/1.1 ${status} Scripted`, ...fields, '', ''].join('\r\n'))
    },
    write(bytes) {
      const body = Buffer.from(bytes as Uint8Array)
      const framed = chunked ? Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, CRLF]) : body
      return new Promise((resolve) => {
        if (body.length === 0 || socket.destroyed) resolve()
        else socket.write(framed, () => resolve())
      })
    },
    end() {
      if (chunked) socket.write('0\r\n\r\n')
      finish()
    },
    cut() {
      finish()
      socket.end()
    },
    reset() {
      finish()
      socket.resetAndDestroy()
    },
    get gone() {
      return socket.destroyed
    },
    whenGone: closed.promise,
  }
}

const CRLF = Buffer.from('\r\n')

/** A whole answer in one go. */
export function answer(reply: Reply, status: number, body: Uint8Array | string, headers: HeaderFields = {}): void {
  const bytes = Buffer.from(body as Uint8Array)
  reply.head(status, { 'content-type': 'application/json', 'content-length': String(bytes.length), ...headers })
  void reply.write(bytes)
  reply.end()
}

/** The beginning of an event stream. */
export function beginStream(reply: Reply, headers: HeaderFields = {}): void {
  reply.head(200, { 'content-type': 'text/event-stream', ...headers })
}

/** Sends pieces one after the other, each in a segment of its own as far as the kernel lets it. */
export async function sendPieces(reply: Reply, pieces: Iterable<Uint8Array | string>): Promise<void> {
  for (const piece of pieces) {
    if (reply.gone) return
    void reply.write(piece)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
