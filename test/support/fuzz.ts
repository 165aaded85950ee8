/** Sends fuzzed requests over a number of connections and counts the answers by status; what must never be is kept with its request. */
import net from 'node:net'
import { DIALECTS } from './dialects.ts'
import { createRandom, type FuzzedRequest, fuzzRequest } from './fuzzed-requests.ts'
import { createMessageReader } from './http-message.ts'
import { answer, beginStream, type Script } from './scripted-upstream.ts'

export interface FuzzOptions {
  url: string
  key: string
  seed: number
  count: number
  connections: number
  onProgress?(done: number): void
}

export interface FuzzResult {
  statuses: Map<number, number>
  /** A 500, or no end of an answer in time. */
  faults: { what: string; request: string }[]
}

/** An upstream that answers each path in its dialect, so that as many requests as can be go all the way. */
export const friendlyScript: Script = (request, reply) => {
  const dialect = DIALECTS.find(({ wholePath, path }) => [wholePath, path].includes(request.target)) ?? DIALECTS[0]!
  if (!/"stream": *true/.test(request.body.toString('latin1'))) return answer(reply, 200, dialect.body)
  beginStream(reply)
  void reply.write([...dialect.opening, ...dialect.content, ...dialect.closing].join(''))
  reply.end()
}

const ANSWER_WITHIN_MS = 20_000

export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const { url, key, seed, count, connections, onProgress } = options
  const { hostname, port, host } = new URL(url)
  const random = createRandom(seed)
  const result: FuzzResult = { statuses: new Map(), faults: [] }
  let sent = 0

  async function worker(): Promise<void> {
    let socket: net.Socket | null = null
    while (sent < count) {
      sent++
      if (sent % 10_000 === 0) onProgress?.(sent)
      const request = fuzzRequest(random, { key, host })
      socket ??= await connect(hostname, Number(port))
      const status = await exchange(socket, request)
      result.statuses.set(status, (result.statuses.get(status) ?? 0) + 1)
      if (status === 500 || status === TIMED_OUT) {
        const what = status === 500 ? 'status 500' : 'no end of the answer'
        result.faults.push({ what, request: request.bytes.toString('latin1').slice(0, 2000) })
      }
      if (socket.destroyed || request.closes || status === CLOSED || status === TIMED_OUT || status === 400) {
        socket.destroy()
        socket = null
      }
    }
    socket?.destroy()
  }
  await Promise.all(Array.from({ length: connections }, worker))
  return result
}

/** Closed without an answer: what Bun does with what is no HTTP. */
const CLOSED = 0
const TIMED_OUT = -1

function connect(host: string, port: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, noDelay: true }, () => resolve(socket))
    socket.once('error', reject)
  })
}

/** The status of the answer, once it has ended. */
function exchange(socket: net.Socket, { bytes, closes }: FuzzedRequest): Promise<number> {
  const reader = createMessageReader({ kind: 'response', countOnly: true })
  const isHead = bytes.subarray(0, 5).toString() === 'HEAD '
  return new Promise((resolve) => {
    const timer = setTimeout(() => finish(TIMED_OUT), ANSWER_WITHIN_MS)
    const statusOf = () => Number(reader.head?.startLine.split(' ')[1] ?? CLOSED)
    function finish(status: number): void {
      clearTimeout(timer)
      socket.off('data', onData).off('close', onClose).off('end', onClose)
      resolve(status)
    }
    const onClose = () => finish(statusOf())
    function onData(chunk: Buffer): void {
      reader.push(chunk)
      if (reader.head && (reader.done || isHead || closes)) finish(statusOf())
    }
    socket.removeAllListeners('error').on('error', onClose)
    socket.on('data', onData).on('close', onClose).on('end', onClose)
    socket.write(bytes)
    // Half a body is the end of what comes: the other side must not wait for the rest.
    if (closes) socket.end()
  })
}
