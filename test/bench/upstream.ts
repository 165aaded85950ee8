/**
 * CPU of the relay per event, over `fetch` and over sockets of our own, side by side: `bun test/bench/upstream.ts [rounds] [part of a load's name]`.
 *
 * Four processes on one machine: an upstream that writes SSE events as HTTP chunks, one relay per transport (Bun.serve, the real tap, a meter
 * that copies), and a client that counts bytes. Rounds alternate between the relays and the median is told, since absolute numbers hold only
 * for one machine and hour. CPU is what a relay says of itself (`process.cpuUsage`), before and after a round.
 */
import { createFetchUpstream } from '../../src/relay/fetch-upstream.ts'
import { createSocketUpstream } from '../../src/relay/socket-upstream.ts'
import { createTap } from '../../src/relay/tap.ts'
import type { Upstream } from '../../src/relay/upstream.ts'

const EVENT = `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', delta: { content: 'x'.repeat(190) } })}\n\n`
const FRAME = Buffer.from(`${EVENT.length.toString(16)}\r\n${EVENT}\r\n`)
const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'
const LAST = Buffer.from('0\r\n\r\n')

interface Load {
  name: string
  streams: number
  requestsPerStream: number
  events: number
  /** Between events of a stream; 0: as fast as they go. */
  paceMs: number
}

const LOADS: Load[] = [
  { name: 'paced, 1000 streams x 20 events/s', streams: 1000, requestsPerStream: 1, events: 60, paceMs: 50 },
  { name: 'paced, 100 streams x 20 events/s', streams: 100, requestsPerStream: 1, events: 100, paceMs: 50 },
  { name: 'full speed, 32 x 300-event streams', streams: 32, requestsPerStream: 40, events: 300, paceMs: 0 },
  { name: 'full speed, 32 x 20-event streams', streams: 32, requestsPerStream: 150, events: 20, paceMs: 0 },
]

/** Says where it listens, in one line on standard output. */
function announce(port: number): void {
  process.stdout.write(`${port}\n`)
}

function runMock(): void {
  const whole = new Map<number, Buffer>()
  const server = Bun.listen<{ timer: ReturnType<typeof setInterval> | null; rest: Uint8Array | null }>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open(socket) {
        socket.data = { timer: null, rest: null }
      },
      data(socket, bytes) {
        const [, events, paceMs] = bytes.toString('latin1').split(/[ /]+/, 4).slice(0, 3).map(Number) as number[]
        if (!paceMs) write(socket, fullBody(events ?? 0))
        else pace(socket, events ?? 0, paceMs)
      },
      drain: (socket) => write(socket, socket.data.rest),
      close: (socket) => clearInterval(socket.data.timer ?? undefined),
    },
  })

  function fullBody(events: number): Buffer {
    const body = whole.get(events) ?? Buffer.concat([Buffer.from(HEAD), ...Array(events).fill(FRAME), LAST])
    whole.set(events, body)
    return body
  }

  function write(socket: Bun.Socket<{ rest: Uint8Array | null }>, bytes: Uint8Array | null): void {
    if (bytes === null) return
    const written = Math.max(0, socket.write(bytes))
    socket.data.rest = written < bytes.length ? bytes.subarray(written) : null
  }

  function pace(
    socket: Bun.Socket<{ timer: ReturnType<typeof setInterval> | null }>,
    events: number,
    paceMs: number,
  ): void {
    let left = events
    socket.write(HEAD)
    socket.data.timer = setInterval(() => {
      socket.write(left > 0 ? FRAME : LAST)
      if (left-- === 0) clearInterval(socket.data.timer ?? undefined)
    }, paceMs)
  }
  announce(server.port)
}

function runRelay(upstream: Upstream, mockPort: number): void {
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url)
      if (pathname === '/cpu') return Response.json({ ...process.cpuUsage(), rss: process.memoryUsage.rss() })
      const body = await request.bytes()
      const call = upstream.send({
        url: `http://127.0.0.1:${mockPort}${pathname}`,
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'text/event-stream', 'accept-encoding': 'identity' },
        body,
        proxyUrl: null,
      })
      const answer = await call.answer
      const ring = new Uint8Array(4096)
      const tap = createTap({
        body: answer.body,
        meter: {
          push: (chunk) => ring.set(chunk.length > 4096 ? chunk.subarray(chunk.length - 4096) : chunk),
          read: () => {
            throw new Error('not read here')
          },
          lead: () => '',
          bytes: 0,
        },
        gate: { push: () => 'commit', end: () => 'commit', firstData: true, frames: 1, openingLength: 0, error: null },
        transform: null,
        commitWaitMs: 1000,
        touch: () => undefined,
        onFirstData: () => undefined,
        passFault: () => false,
        onEnd: () => null,
        onClientGone: () => call.abort('client left'),
      })
      await tap.decided
      return new Response(tap.readable(), { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  announce(server.port as number)
}

/** Runs one load against a relay; prints the body bytes that came. */
async function runClient(relayPort: number, load: Load): Promise<void> {
  const request = `POST /${load.events}/${load.paceMs} HTTP/1.1\r\nhost: x\r\ncontent-length: 1300\r\n\r\n${'y'.repeat(1300)}`
  const end = Buffer.from('0\r\n\r\n')
  let bytes = 0
  await Promise.all(
    Array.from(
      { length: load.streams },
      (_, index) =>
        new Promise<void>((resolve, reject) => {
          let left = load.requestsPerStream
          // Paced streams start spread over one pace, as streams do.
          setTimeout(
            () => {
              Bun.connect({
                hostname: '127.0.0.1',
                port: relayPort,
                socket: {
                  open: (socket) => void socket.write(request),
                  data(socket, chunk) {
                    bytes += chunk.length
                    if (!chunk.subarray(-5).equals(end)) return
                    if (--left > 0) socket.write(request)
                    else {
                      socket.end()
                      resolve()
                    }
                  },
                  close: () => (left > 0 ? reject(new Error('the relay closed')) : undefined),
                },
              }).catch(reject)
            },
            load.paceMs === 0 ? 0 : (index / load.streams) * load.paceMs * 4,
          )
        }),
    ),
  )
  process.stdout.write(`${bytes}\n`)
}

async function start(...args: string[]): Promise<{ line: number; kill(): void }> {
  const child = Bun.spawn([process.execPath, import.meta.path, ...args], {
    stdout: 'pipe',
    stderr: 'inherit',
    env: { ...process.env, BUN_CONFIG_MAX_HTTP_REQUESTS: '8000' },
  })
  for await (const chunk of child.stdout)
    return { line: Number(new TextDecoder().decode(chunk)), kill: () => child.kill() }
  throw new Error(`${args[0]} said nothing`)
}

async function main(rounds: number, only: string): Promise<void> {
  const mock = await start('mock')
  const relays = {
    fetch: await start('relay', 'fetch', String(mock.line)),
    socket: await start('relay', 'socket', String(mock.line)),
  }
  const names = ['fetch', 'socket'] as const
  const cpu = async (port: number) => {
    const response = await fetch(`http://127.0.0.1:${port}/cpu`)
    const usage = (await response.json()) as { user: number; system: number; rss: number }
    return { us: usage.user + usage.system, rss: usage.rss }
  }
  for (const load of LOADS.filter(({ name }) => name.includes(only))) {
    const events = load.streams * load.requestsPerStream * load.events
    const taken: Record<string, number[]> = { fetch: [], socket: [] }
    const rss: Record<string, number> = {}
    for (let round = 0; round <= rounds; round++) {
      for (const name of names) {
        const before = await cpu(relays[name].line)
        const client = await start('client', String(relays[name].line), JSON.stringify(load))
        const after = await cpu(relays[name].line)
        client.kill()
        if (client.line < events * EVENT.length) throw new Error('bytes are missing')
        // Round 0 warms up.
        if (round > 0) taken[name]?.push((after.us - before.us) / events)
        rss[name] = after.rss
      }
    }
    const median = (name: string) => (taken[name] ?? []).sort((a, b) => a - b)[Math.floor(rounds / 2)] as number
    const [viaFetch, viaSocket] = names.map(median) as [number, number]
    console.log(
      `${load.name}: fetch ${viaFetch.toFixed(2)} us/event, socket ${viaSocket.toFixed(2)} us/event, socket/fetch ${(viaSocket / viaFetch).toFixed(2)}`,
      `(rss ${names.map((name) => `${name} ${Math.round((rss[name] as number) / 1e6)} MB`).join(', ')})`,
    )
  }
  for (const child of [mock, relays.fetch, relays.socket]) child.kill()
}

const [role, first = '', second = ''] = process.argv.slice(2)
if (role === 'mock') runMock()
else if (role === 'relay') runRelay(first === 'socket' ? createSocketUpstream() : createFetchUpstream(), Number(second))
else if (role === 'client') await runClient(Number(first), JSON.parse(second))
else await main(Number(role ?? 3), first)
