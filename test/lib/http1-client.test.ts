import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createHttp1Client, type Http1ClientOptions } from '../../src/lib/http1-client.ts'
import type { Http1Request } from '../../src/lib/http1-request.ts'
import { createFakeNetwork, type FakeSocket } from '../support/fake-sockets.ts'

const OK = 'HTTP/1.1 200 OK\r\n'
const HI = `${OK}content-length: 2\r\n\r\nhi`

interface Seen {
  status: number | null
  body: string
  /** `end`, or kind and code of the error; one entry, or it was told twice. */
  ends: string[]
}

/** A client on sockets that a test moves by hand, and a clock too. */
function setUp(given: Partial<Http1ClientOptions> = {}, openAtOnce = true) {
  const network = createFakeNetwork(openAtOnce)
  const clock = { nowMs: 1000 }
  const options = { connect: network.connect, nowMs: () => clock.nowMs, sweepEveryMs: 0, ...given }
  const client = createHttp1Client(options)

  function send(request: Partial<Http1Request> = {}) {
    const seen: Seen = { status: null, body: '', ends: [] }
    const whole = { url: 'http://a.example/', method: 'POST', headers: {}, body: null, proxyUrl: null, ...request }
    const call = client.send(whole, {
      onHead: (head) => {
        seen.status = head.status
      },
      onData: (bytes) => {
        seen.body += Buffer.from(bytes).toString('latin1')
      },
      onEnd: () => seen.ends.push('end'),
      onFail: (error) => seen.ends.push(error.code ? `${error.kind} ${error.code}` : error.kind),
    })
    return { call, seen }
  }

  /** Sends, and answers on the socket that it went out on. */
  async function exchange(response = HI): Promise<FakeSocket> {
    const before = network.sockets.map(({ sent }) => sent.length)
    const { seen } = send()
    await Promise.resolve()
    const socket = network.sockets.find(({ sent }, index) => sent.length > (before[index] ?? 0)) as FakeSocket
    socket.feed(response)
    expect(seen.ends).toEqual(['end'])
    return socket
  }
  return { client, clock, network, send, exchange }
}

const errorOf = (code: string) => Object.assign(new Error('failed'), { code })

describe('connecting', () => {
  test('takes no longer than it may, and a late connection is closed (REL-15)', async () => {
    const { client, clock, network, send } = setUp({ connectTimeoutMs: 10_000 }, false)
    const { seen } = send()
    clock.nowMs += 9_999
    client.sweep()
    expect(seen.ends).toEqual([])
    clock.nowMs += 1
    client.sweep()
    expect(seen.ends).toEqual(['timeout'])
    const [socket] = network.sockets as [FakeSocket]
    socket.open()
    expect(socket).toMatchObject({ state: 'closed', sent: '' })
    expect(client.activeCalls).toBe(0)
  })

  test('may be given another limit: connections opened from then on have it (REL-15)', async () => {
    const { client, clock, send } = setUp({ connectTimeoutMs: 10_000 }, false)
    const before = send()
    client.limitConnect(500)
    const after = send()
    clock.nowMs += 500
    client.sweep()
    expect([before.seen.ends, after.seen.ends]).toEqual([[], ['timeout']])
    client.close()
  })

  test('once connected, an answer may take as long as it likes', async () => {
    const { client, clock, network, send } = setUp()
    const { seen } = send()
    await Promise.resolve()
    clock.nowMs += 3_600_000
    client.sweep()
    network.sockets[0]?.feed(HI)
    expect(seen).toEqual({ status: 200, body: 'hi', ends: ['end'] })
  })

  test('failures say what failed: a name, a connection', () => {
    const cases = { ENOTFOUND: 'dns', EAI_AGAIN: 'dns', ECONNREFUSED: 'connect', ENETUNREACH: 'connect' }
    for (const [code, kind] of Object.entries(cases)) {
      const { network, send } = setUp({}, false)
      const { seen } = send()
      network.sockets[0]?.refuse(errorOf(code))
      expect(seen.ends).toEqual([`${kind} ${code}`])
    }
  })

  test('an abort before the connection is there: it is closed when it comes, nothing is sent or told', async () => {
    const { client, network, send } = setUp({}, false)
    const { call, seen } = send()
    call.abort()
    network.sockets[0]?.open()
    expect(network.sockets[0]).toMatchObject({ state: 'closed', closedBy: 'terminate', sent: '' })
    expect([seen.ends, client.activeCalls]).toEqual([[], 0])
  })
})

describe('keep-alive', () => {
  test('a connection is used again within its time, closed after it', async () => {
    const { client, clock, network, exchange } = setUp({ idleMs: 55_000 })
    const socket = await exchange()
    clock.nowMs += 54_999
    expect(await exchange()).toBe(socket)
    clock.nowMs += 55_000
    client.sweep()
    expect(socket).toMatchObject({ state: 'closed', closedBy: 'end' })
    expect(await exchange()).not.toBe(socket)
    expect(network.sockets).toHaveLength(2)
  })

  test('the peer’s own time counts when it is shorter, less a second for the way', async () => {
    const { clock, exchange } = setUp({ idleMs: 55_000 })
    const told = `${OK}keep-alive: timeout=5\r\ncontent-length: 2\r\n\r\nhi`
    const socket = await exchange(told)
    clock.nowMs += 3_999
    expect(await exchange(told)).toBe(socket)
    clock.nowMs += 4_000
    expect(await exchange(told)).not.toBe(socket)
    const brief = setUp()
    const once = await brief.exchange(`${OK}keep-alive: timeout=1\r\ncontent-length: 2\r\n\r\nhi`)
    expect(once.state).toBe('closed')
  })

  test('the one used last goes first; no more are kept than may be', async () => {
    const { client, network, send, exchange } = setUp({ mostIdlePerOrigin: 2 })
    for (let count = 0; count < 3; count++) send()
    await Promise.resolve()
    for (const socket of network.sockets) socket.feed(HI)
    expect(network.sockets.map(({ state }) => state)).toEqual(['closed', 'open', 'open'])
    expect(client.idleConnections).toBe(2)
    expect(await exchange()).toBe(network.sockets[2] as FakeSocket)
  })

  test('what a peer says unasked closes its connection, and is nobody’s answer', async () => {
    const { client, exchange } = setUp()
    const socket = await exchange()
    socket.feed('HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n')
    expect(socket).toMatchObject({ state: 'closed', closedBy: 'terminate' })
    expect(client.idleConnections).toBe(0)
    expect(await exchange()).not.toBe(socket)
  })

  test('an idle connection does not keep the process alive; one in use does', async () => {
    const { network, exchange, send } = setUp()
    const socket = await exchange()
    expect(socket.referenced).toBe(false)
    send()
    expect(network.sockets).toHaveLength(1)
    expect(socket.referenced).toBe(true)
  })

  test('closing the client closes what is idle and lets calls end', async () => {
    const { client, network, send, exchange } = setUp()
    const { seen } = send()
    await Promise.resolve()
    const idle = await exchange()
    client.close()
    expect(idle.state).toBe('closed')
    network.sockets[0]?.feed(HI)
    expect(seen.ends).toEqual(['end'])
  })
})

describe('a second try', () => {
  const stale = async (afterMs: number, close: (socket: FakeSocket) => void) => {
    const { clock, network, send, exchange } = setUp({ staleWithinMs: 2_000 })
    const socket = await exchange()
    const { seen } = send({ body: Buffer.from('question') })
    clock.nowMs += afterMs
    close(socket)
    await Promise.resolve()
    return { network, seen }
  }

  test('when a connection that had idled closes at once, without a byte: the same request, on a new one', async () => {
    for (const error of [undefined, errorOf('ECONNRESET')]) {
      const { network, seen } = await stale(2_000, (socket) => socket.close(error))
      const [first, second] = network.sockets as [FakeSocket, FakeSocket]
      expect(second.sent).toContain('\r\n\r\nquestion')
      expect(first.sent).toEndWith(second.sent)
      second.feed(HI)
      expect(seen).toEqual({ status: 200, body: 'hi', ends: ['end'] })
    }
  })

  test('not when it took long to close: the upstream may have worked on it', async () => {
    const { network, seen } = await stale(2_001, (socket) => socket.close())
    expect(network.sockets).toHaveLength(1)
    expect(seen.ends).toEqual(['closed'])
  })

  test('not after a byte of an answer, and not after nonsense', async () => {
    for (const bytes of ['H', 'HTTP/1.1 100 Continue\r\n\r\n', 'nonsense']) {
      const { network, seen } = await stale(0, (socket) => {
        socket.feed(bytes)
        socket.close()
      })
      expect(network.sockets).toHaveLength(1)
      expect(seen.ends).toHaveLength(1)
      expect(seen.ends).not.toContain('end')
    }
  })

  test('only one: the new connection’s end is the end', async () => {
    const { network, seen } = await stale(0, (socket) => socket.close())
    network.sockets[1]?.close()
    expect(network.sockets).toHaveLength(2)
    expect(seen.ends).toEqual(['closed'])
  })

  test('never after an abort', async () => {
    const { network, send, exchange } = setUp()
    const socket = await exchange()
    const { call, seen } = send()
    call.abort()
    expect(socket).toMatchObject({ state: 'closed', closedBy: 'terminate' })
    await Promise.resolve()
    expect([network.sockets.length, seen.ends]).toEqual([1, []])
  })
})

describe('writing', () => {
  test('what the socket does not take goes out as it drains, to the byte', async () => {
    for (const size of [10, 100_000]) {
      const { network, send } = setUp({}, false)
      const body = Buffer.from(Array.from({ length: size }, (_, index) => index & 0x7f))
      send({ body })
      const [socket] = network.sockets as [FakeSocket]
      socket.room = 7
      socket.open()
      while (socket.room === 0) {
        socket.room = Math.ceil(size / 5)
        socket.drain()
      }
      const [head = ''] = socket.sent.split('\r\n\r\n', 1)
      expect(head).toContain(`content-length: ${size}`)
      expect(socket.sent.slice(head.length + 4)).toBe(body.toString('latin1'))
    }
  })

  test('a connection whose request was not out when the answer ended is not used again', async () => {
    const { network, send } = setUp({}, false)
    const { seen } = send({ body: Buffer.alloc(100_000) })
    const [socket] = network.sockets as [FakeSocket]
    socket.room = 50_000
    socket.open()
    socket.feed(HI)
    expect(seen.ends).toEqual(['end'])
    expect(socket.state).toBe('closed')
  })
})

describe('limits', () => {
  test('without a limit all requests go out at once; with one they take turns, and an abort gives its turn on', async () => {
    const free = setUp()
    for (let count = 0; count < 600; count++) free.send()
    expect(free.network.sockets).toHaveLength(600)

    const { client, network, send } = setUp({ mostActivePerOrigin: 1 })
    const [first, second, third] = [send(), send(), send()]
    second.call.abort()
    await Promise.resolve()
    expect(network.sockets).toHaveLength(1)
    const [socket] = network.sockets as [FakeSocket]
    socket.feed(HI)
    socket.feed(HI)
    expect([first, second, third].map(({ seen }) => seen.ends)).toEqual([['end'], [], ['end']])
    expect(client.activeCalls).toBe(0)
  })
})

describe('whatever comes', () => {
  const framed = fc.constantFrom(
    HI,
    `${OK}transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\nyou\r\n0\r\nx-a: b\r\n\r\n`,
    `HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\noops`,
    'HTTP/1.1 204 No Content\r\n\r\n',
  )
  const places = fc.array(fc.nat(), { maxLength: 5 })

  /** Feeds the text in pieces, then closes; gives what the caller saw. */
  async function feed(text: string, cuts: number[], error?: Error): Promise<{ seen: Seen; active: number }> {
    const { client, network, send } = setUp()
    const { seen } = send()
    await Promise.resolve()
    const [socket] = network.sockets as [FakeSocket]
    let from = 0
    for (const to of [...cuts.map((place) => place % (text.length + 1)).sort((a, b) => a - b), text.length]) {
      if (to > from) socket.feed(text.slice(from, to))
      from = to
    }
    socket.close(error)
    return { seen, active: client.activeCalls }
  }

  test('an answer that was cut never ends cleanly, wherever the cut (REL-13)', async () => {
    await fc.assert(
      fc.asyncProperty(framed, fc.nat(), places, fc.boolean(), async (text, length, cuts, reset) => {
        const cut = text.slice(0, length % text.length)
        const { seen, active } = await feed(cut, cuts, reset ? errorOf('ECONNRESET') : undefined)
        expect([seen.ends, active]).toEqual([[reset ? 'closed ECONNRESET' : 'closed'], 0])
      }),
      { numRuns: 300 },
    )
  })

  test('any bytes: told once how it ended, nothing left open, nothing thrown', async () => {
    const soup = fc.oneof(
      fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
      fc.tuple(framed, fc.nat(), fc.nat(255)).map(([text, place, byte]) => {
        const at = place % text.length
        return text.slice(0, at) + String.fromCharCode(byte) + text.slice(at + 1)
      }),
    )
    await fc.assert(
      fc.asyncProperty(soup, places, async (text, cuts) => {
        const { seen, active } = await feed(text, cuts)
        expect(seen.ends).toHaveLength(1)
        expect(active).toBe(0)
        // The same bytes give the same end, however they were cut.
        expect((await feed(text, [])).seen).toEqual(seen)
      }),
      { numRuns: 500 },
    )
  })
})

test('the runtime hands each read its own memory: what was delivered is never written over', async () => {
  // Bodies are passed on without a copy because of this; should a runtime begin to reuse its buffers, this fails.
  const server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: { data: (socket, bytes) => void socket.write(bytes) },
  })
  const kept: Uint8Array[] = []
  let arrived: () => void = () => undefined
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port: server.port,
    socket: {
      binaryType: 'uint8array',
      data(_, bytes) {
        kept.push(bytes)
        arrived()
      },
    },
  })
  for (let index = 0; index < 50; index++) {
    await new Promise<void>((resolve) => {
      arrived = resolve
      socket.write(`message ${String(index).padStart(3, '0')}`)
    })
  }
  socket.end()
  server.stop(true)
  expect(kept.map((bytes) => Buffer.from(bytes).toString())).toEqual(
    Array.from({ length: 50 }, (_, index) => `message ${String(index).padStart(3, '0')}`),
  )
})
