/**
 * A client down to the bytes: sends a request as it stands, sees each byte of the answer as it comes, stops reading, hangs up. For what `fetch`
 * would mend or hide.
 */
import net from 'node:net'
import { createMessageReader, type MessageHead, type ReaderOptions } from './http-message.ts'
import { until } from './until.ts'

export interface RawRequest {
  method?: string
  path: string
  headers?: Record<string, string>
  body?: Uint8Array | string
  /** Body bytes are only counted. */
  countOnly?: ReaderOptions['countOnly']
}

export interface RawClient {
  write(bytes: Uint8Array | string): void
  head(): Promise<MessageHead & { status: number }>
  /** Body bytes so far, the chunks' framing taken off. */
  readonly body: Buffer
  readonly bodyBytes: number
  /** The answer ended as it should. */
  readonly done: boolean
  /** The connection is closed, by whomever. */
  readonly closed: boolean
  /** Waits until the answer has ended or broken off. */
  over(): Promise<void>
  /** Waits until the body so far holds a text. */
  has(text: string): Promise<void>
  stopReading(): void
  readOn(): void
  /** Hangs up at once. */
  leave(): void
}

export async function openRaw(baseUrl: string, request: RawRequest): Promise<RawClient> {
  const { hostname, port } = new URL(baseUrl)
  const socket = net.connect({ host: hostname, port: Number(port) })
  const reader = createMessageReader({ kind: 'response', countOnly: request.countOnly })
  let closed = false
  socket.on('data', (bytes) => void reader.push(bytes as Buffer))
  socket.on('close', () => {
    closed = true
  })
  socket.on('error', () => undefined)
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  socket.setNoDelay(true)
  socket.write(headOf(request, `${hostname}:${port}`))
  if (request.body !== undefined) socket.write(request.body)
  const client: RawClient = {
    write: (bytes) => void socket.write(bytes),
    async head() {
      const head = await until(() => reader.head ?? (closed ? NO_HEAD : null), { what: 'head of the answer' })
      return { ...head, status: Number(head.startLine.split(' ')[1] ?? 0) }
    },
    get body() {
      return Buffer.concat(reader.body)
    },
    get bodyBytes() {
      return reader.bodyBytes
    },
    get done() {
      return reader.done
    },
    get closed() {
      return closed
    },
    over: async () => void (await until(() => reader.done || closed, { what: 'end of the answer' })),
    has: async (text) => void (await until(() => client.body.includes(text), { what: `"${text}" in the answer` })),
    stopReading: () => void socket.pause(),
    readOn: () => void socket.resume(),
    leave: () => void socket.destroy(),
  }
  return client
}

const NO_HEAD: MessageHead = { raw: '', startLine: '', fields: [], header: () => null }

function headOf({ method = 'POST', path, headers = {}, body }: RawRequest, host: string): string {
  const all: Record<string, string> = { host, ...headers }
  const names = new Set(Object.keys(all).map((name) => name.toLowerCase()))
  if (body !== undefined && !names.has('transfer-encoding') && !names.has('content-length')) {
    all['content-length'] = String(Buffer.byteLength(body))
  }
  const fields = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  return [`${method} ${path} HTTP/1.1`, ...fields, '', ''].join('\r\n')
}
