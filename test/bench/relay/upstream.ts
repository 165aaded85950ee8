/**
 * The provider of the relay's bench, a process of its own: `bun upstream.ts` prints its port. The first part of the path names the work
 * (`/json/v1/chat/completions`). Answers are made once and written whole, or event by event where they are paced.
 */
import type { Socket } from 'bun'
import { answerParts, WORKS } from './work.ts'

interface Connection {
  /** Bytes of a request whose head has not come whole. */
  head: Buffer
  /** Of the body that is still to come. */
  left: number
  /** Which answer it gets. */
  path: string
}

const chunked = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
const STREAM_HEAD =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nx-request-id: req_bench\r\n\r\n'
const END = '0\r\n\r\n'
const HEAD_END = Buffer.from('\r\n\r\n')

const answers = new Map(
  WORKS.map((work) => {
    const parts = answerParts(work)
    const [json = ''] = parts
    const whole =
      work.events === 0
        ? `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_bench\r\ncontent-length: ${Buffer.byteLength(json)}\r\n\r\n${json}`
        : STREAM_HEAD + parts.map(chunked).join('') + END
    return [
      work.name,
      { paceMs: work.paceMs, whole: Buffer.from(whole), events: parts.map((part) => Buffer.from(chunked(part))) },
    ]
  }),
)

const unsent = new WeakMap<Socket<Connection>, Buffer>()

function send(socket: Socket<Connection>, bytes: Buffer): void {
  const before = unsent.get(socket)
  const all = before ? Buffer.concat([before, bytes]) : bytes
  const written = Math.max(0, socket.write(all))
  if (written < all.length) unsent.set(socket, all.subarray(written))
  else unsent.delete(socket)
}

function respond(socket: Socket<Connection>): void {
  const answer = answers.get(socket.data.path)
  if (!answer) throw new Error(`no work is called ${socket.data.path}`)
  if (answer.paceMs === 0) {
    send(socket, answer.whole)
    return
  }
  send(socket, Buffer.from(STREAM_HEAD))
  let next = 0
  const timer = setInterval(() => {
    const event = answer.events[next++]
    if (event === undefined || socket.readyState <= 0) clearInterval(timer)
    if (socket.readyState > 0) send(socket, event ?? Buffer.from(END))
  }, answer.paceMs)
}

function read(socket: Socket<Connection>, bytes: Buffer): void {
  const { data } = socket
  let rest = bytes
  while (rest.length > 0) {
    if (data.left === 0) {
      const head = data.head.length > 0 ? Buffer.concat([data.head, rest]) : rest
      const end = head.indexOf(HEAD_END)
      data.head = end < 0 ? head : Buffer.alloc(0)
      if (end < 0) return
      const text = head.toString('latin1', 0, end)
      data.path = text.slice(text.indexOf('/') + 1).split('/')[0] ?? ''
      data.left = Number(/^content-length: *(\d+)/im.exec(text)?.[1] ?? 0)
      rest = head.subarray(end + 4)
    }
    const taken = Math.min(data.left, rest.length)
    data.left -= taken
    rest = rest.subarray(taken)
    if (data.left === 0) respond(socket)
  }
}

const server = Bun.listen<Connection>({
  hostname: '127.0.0.1',
  port: 0,
  socket: {
    open(socket) {
      socket.data = { head: Buffer.alloc(0), left: 0, path: '' }
    },
    data: read,
    drain: (socket) => {
      if (unsent.has(socket)) send(socket, Buffer.alloc(0))
    },
    error: () => undefined,
  },
})
console.log(server.port)
