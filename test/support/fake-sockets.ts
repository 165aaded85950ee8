/**
 * Stands in for `Bun.connect`: sockets without a network, which a test opens, feeds and closes in an order of its choosing, and which
 * write down what was done to them.
 */
import type { Socket, SocketHandler, TCPSocketConnectOptions } from 'bun'

export interface FakeSocket {
  options: TCPSocketConnectOptions<unknown>
  sent: string
  paused: boolean
  state: 'connecting' | 'open' | 'closed'
  /** How this side closed it. */
  closedBy: 'terminate' | 'end' | null
  referenced: boolean
  /** How many bytes a write takes; afterwards `drain`. */
  room: number
  open(): void
  feed(bytes: string | Uint8Array): void
  drain(): void
  /** The peer closes: a FIN, or with an error. */
  close(error?: Error): void
  refuse(error: Error): void
}

export interface FakeNetwork {
  connect: typeof Bun.connect
  sockets: FakeSocket[]
}

/** `openAtOnce`: sockets open by themselves, in the next microtask. */
export function createFakeNetwork(openAtOnce: boolean): FakeNetwork {
  const sockets: FakeSocket[] = []
  const connect = (options: TCPSocketConnectOptions<unknown>) => {
    const fake = createFakeSocket(options)
    sockets.push(fake)
    if (openAtOnce) queueMicrotask(() => fake.open())
    return new Promise<Socket<unknown>>(() => undefined)
  }
  return { connect: connect as typeof Bun.connect, sockets }
}

function createFakeSocket(options: TCPSocketConnectOptions<unknown>): FakeSocket {
  const handlers = options.socket as Required<SocketHandler<unknown>>
  const end = (how: 'terminate' | 'end') => () => {
    if (fake.state === 'closed') return
    fake.closedBy = how
    fake.close()
  }
  const socket = {
    data: options.data,
    write(bytes: Uint8Array) {
      if (fake.state === 'closed') return -1
      const taken = Math.min(bytes.length, fake.room)
      fake.room -= taken
      fake.sent += Buffer.from(bytes.subarray(0, taken)).toString('latin1')
      return taken
    },
    pause() {
      fake.paused = true
    },
    resume() {
      fake.paused = false
    },
    terminate: end('terminate'),
    end: end('end'),
    shutdown: () => undefined,
    ref() {
      fake.referenced = true
    },
    unref() {
      fake.referenced = false
    },
    setKeepAlive: () => true,
  } as unknown as Socket<unknown>
  const fake: FakeSocket = {
    options,
    sent: '',
    paused: false,
    state: 'connecting',
    closedBy: null,
    referenced: true,
    room: Number.POSITIVE_INFINITY,
    open() {
      fake.state = 'open'
      handlers.open(socket)
    },
    feed(bytes) {
      if (fake.state === 'open') handlers.data(socket, Buffer.from(bytes as string, 'latin1'))
    },
    drain: () => handlers.drain(socket),
    close(error) {
      if (fake.state === 'closed') return
      fake.state = 'closed'
      handlers.close(socket, error)
    },
    refuse(error) {
      fake.state = 'closed'
      handlers.connectError(socket, error)
    },
  }
  return fake
}
