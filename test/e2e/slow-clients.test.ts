/**
 * Clients that take their time hold nobody else up (OPS-11): heads and bodies that come byte by byte or not at all, readers that stop, thousands
 * of connections that say nothing. What they cost is a socket each.
 */
import { afterAll, expect, test } from 'bun:test'
import net from 'node:net'
import { CHAT, streamOf } from '../support/dialects.ts'
import { residentBytes } from '../support/process-memory.ts'
import type { RawClient } from '../support/raw-client.ts'
import { useGateway } from '../support/scene.ts'
import { answer, beginStream } from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

const MB = 1024 * 1024
const { gateway, scene } = useGateway()

const open: net.Socket[] = []
afterAll(() => {
  for (const socket of open) socket.destroy()
})

/** Connections that have sent so much and no more. */
async function connections(count: number, sent: string): Promise<net.Socket[]> {
  const { port } = new URL(gateway().url)
  const sockets = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<net.Socket>((resolve, reject) => {
          const socket = net.connect({ host: 'localhost', port: Number(port) }, () => resolve(socket))
          socket.on('error', reject)
        }),
    ),
  )
  for (const socket of sockets) socket.write(sent)
  open.push(...sockets)
  return sockets
}

/** A hundred ordinary requests, ten at a time: the longest one in ms. */
async function longestOf(ask: () => Promise<Response>): Promise<number> {
  let longest = 0
  const worker = async () => {
    for (let i = 0; i < 10; i++) {
      const startedAt = performance.now()
      const response = await ask()
      expect(response.status).toBe(200)
      await response.text()
      longest = Math.max(longest, performance.now() - startedAt)
    }
  }
  await Promise.all(Array.from({ length: 10 }, worker))
  return longest
}

/** Far above what a busy machine needs for a request, far below any time-out that they could be waiting for. */
const PROMPT_MS = 5000

test('two thousand idle connections, and hundreds of unfinished heads and bodies, delay nobody (OPS-11)', async () => {
  const { send, key } = await scene({ script: (_, reply) => answer(reply, 200, CHAT.body) })
  await longestOf(() => send(CHAT.wholePath, CHAT.wholeRequest))
  const before = residentBytes(gateway().pid)
  const idle = await connections(2000, '')
  const heads = await connections(300, 'POST /v1/chat/completions HTTP/1.1\r\nHost: loc')
  const head = `POST ${CHAT.path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${key}\r\nContent-Length: 60000000\r\n\r\n{"model`
  const bodies = await connections(300, head)
  for (let round = 0; round < 3; round++) {
    for (const socket of heads) socket.write('a')
    for (const socket of bodies) socket.write(' ')
    expect(await longestOf(() => send(CHAT.wholePath, CHAT.wholeRequest))).toBeLessThan(PROMPT_MS)
  }
  // Three hundred announced bodies of 60 MB would be 18 GB.
  expect(residentBytes(gateway().pid) - before).toBeLessThan(150 * MB)
  for (const socket of [...idle, ...heads, ...bodies]) socket.destroy()
  const inFlight = async () =>
    /^turnpike_requests_in_flight (\d+)$/m.exec(await (await fetch(`${gateway().url}/metrics`)).text())?.[1]
  await until(async () => (await inFlight()) === '0', { what: 'those who left forgotten' })
})

test('fifty readers who stop in the middle of endless streams delay nobody and cost no memory (OPS-11, REL-8)', async () => {
  const chunk = CHAT.content[0].replace('Hel', 'x'.repeat(16_384))
  const { send, raw, upstream } = await scene({
    script: async (request, reply) => {
      if (!request.body.includes('"stream":true')) return answer(reply, 200, CHAT.body)
      beginStream(reply)
      void reply.write(streamOf(CHAT)[0]!)
      // As fast as it is taken, until the other side goes.
      while (!reply.gone) await Promise.race([reply.write(chunk), reply.whenGone])
    },
  })
  const before = residentBytes(gateway().pid)
  const readers: RawClient[] = await Promise.all(
    Array.from({ length: 50 }, () => raw({ path: CHAT.path, body: CHAT.request, countOnly: true })),
  )
  for (const reader of readers) {
    await until(() => reader.bodyBytes > 0, { what: 'the beginning of a stream' })
    reader.stopReading()
  }
  expect(upstream.busy).toBe(50)
  expect(await longestOf(() => send(CHAT.wholePath, CHAT.wholeRequest))).toBeLessThan(PROMPT_MS)
  expect(residentBytes(gateway().pid) - before).toBeLessThan(400 * MB)
  for (const reader of readers) reader.leave()
})
