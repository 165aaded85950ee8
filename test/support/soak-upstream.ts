/**
 * The providers of a soak: four protocols behind one port, accounts told apart by the first part of the path. A sound account always serves; a
 * sick one fails in another way each time, and serves often enough to be asked again.
 */
import { ANTHROPIC, CHAT, type Dialect, GEMINI, RESPONSES } from './dialects.ts'
import {
  answer,
  beginStream,
  type Reply,
  type Script,
  type ScriptedUpstream,
  type SeenRequest,
  startUpstream,
} from './scripted-upstream.ts'

export interface SoakUpstream {
  url: string
  readonly sockets: number
  readonly busy: number
  /** Requests that came, whatever became of them. */
  readonly seen: number
  /** Streams that were cut after their first content, of clients that stay: they must be told (REL-13). */
  readonly cut: number
  /** Requests that were answered by a reset: over a connection that was used before they are sent once more within the same attempt. */
  readonly reset: number
  /** Resolves when the request with this mark in its body has come. */
  whenSeen(mark: string): Promise<void>
  forget(mark: string): void
  stop(): Promise<void>
}

/** How an answer is paced; it stands in the request's body. */
export const PACES = {
  short: { pieces: 10, everyMs: 20, bytes: 20 },
  long: { pieces: 60, everyMs: 200, bytes: 40 },
  wide: { pieces: 40, everyMs: 0, bytes: 64_000 },
} as const
export type Pace = keyof typeof PACES

type Illness = 'limited' | 'overloaded' | 'dead' | 'broken' | 'html' | 'cut early' | 'cut late'
const ILLNESSES: Illness[] = ['limited', 'overloaded', 'dead', 'broken', 'html', 'cut early', 'cut late']
const SICK_SHARE = 0.4
const LONGEST_WHOLE_MS = 100

const MARK = /"soak":"([^"]+)"/
const PACE = /"pace":"([a-z]+)"/
const HEAD_BYTES = 200

export async function startSoakUpstream(): Promise<SoakUpstream> {
  const awaited = new Map<string, () => void>()
  let [seen, cut, reset] = [0, 0, 0]
  const script: Script = (request, reply) => {
    // Kept for tests; here it would be gigabytes.
    server.requests.length = 0
    seen++
    const start = request.body.toString('latin1', 0, HEAD_BYTES)
    const mark = MARK.exec(start)?.[1]
    if (mark) awaited.get(mark)?.()
    const pace = PACES[(PACE.exec(start)?.[1] ?? 'short') as Pace]
    const isSick = request.target.startsWith('/sick') && Math.random() < SICK_SHARE
    if (!isSick) return serve(request, reply, pace)
    const illness = ILLNESSES[Math.floor(Math.random() * ILLNESSES.length)] as Illness
    if (illness === 'cut late' && isStreamed(request) && !start.includes('"leaves":true')) cut++
    if (illness === 'dead') reset++
    return fail(illness, request, reply)
  }
  const server: ScriptedUpstream = await startUpstream(script)
  return {
    url: server.url,
    get sockets() {
      return server.sockets
    },
    get busy() {
      return server.busy
    },
    get seen() {
      return seen
    },
    get cut() {
      return cut
    },
    get reset() {
      return reset
    },
    whenSeen: (mark) => new Promise((resolve) => awaited.set(mark, resolve)),
    forget: (mark) => void awaited.delete(mark),
    stop: server.stop,
  }
}

const isStreamed = ({ target, body }: SeenRequest) => target.includes('stream') || body.includes('"stream":true')

function dialectOf({ target }: SeenRequest): Dialect {
  if (target.includes('/messages')) return ANTHROPIC
  if (target.includes('/chat/')) return CHAT
  return target.includes('gemini') ? GEMINI : RESPONSES
}

async function serve(
  request: SeenRequest,
  reply: Reply,
  { pieces, everyMs, bytes }: (typeof PACES)[Pace],
): Promise<void> {
  const dialect = dialectOf(request)
  if (!isStreamed(request)) {
    await Bun.sleep(Math.random() * LONGEST_WHOLE_MS)
    return answer(reply, 200, dialect.body)
  }
  const [first, last] = dialect.content
  const piece = Buffer.from(first.replace('Hel', 'x'.repeat(bytes)))
  beginStream(reply, { 'content-type': dialect.contentType })
  void reply.write(dialect.opening.join(''))
  for (let sent = 0; sent < pieces && !reply.gone; sent++) {
    // Under backpressure a write may never resolve: the connection's end frees it, too.
    await Promise.race([reply.write(piece), reply.whenGone])
    if (everyMs > 0) await Bun.sleep(everyMs * 2 * Math.random())
  }
  if (reply.gone) return
  void reply.write(last + dialect.closing.join(''))
  reply.end()
}

async function fail(illness: Illness, request: SeenRequest, reply: Reply): Promise<void> {
  if (illness === 'limited') return answer(reply, 429, '{}', { 'retry-after': '1' })
  if (illness === 'overloaded') return answer(reply, 529, '{}')
  if (illness === 'dead') return reply.reset()
  if (illness === 'broken') return answer(reply, 500, 'oops')
  if (illness === 'html') return answer(reply, 200, '<html></html>', { 'content-type': 'text/html' })
  const dialect = dialectOf(request)
  const streamed = isStreamed(request)
  reply.head(200, { 'content-type': streamed ? dialect.contentType : 'application/json' })
  const late = [...dialect.opening, ...dialect.content].join('')
  await reply.write(streamed ? (illness === 'cut late' ? late : ': hi\n\n') : '{ "id": ')
  reply.cut()
}
