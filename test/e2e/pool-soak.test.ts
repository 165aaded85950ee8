/**
 * Many requests of all four protocols over accounts whose health changes, in the gateway as it ships (ACC-4, ACC-5, ACC-7, REL-11): nobody sees
 * a failure that a healthy account could have mended, and nothing is held when it is over. `SOAK_REQUESTS=2000` makes it as long as one likes.
 */
import { expect, test } from 'bun:test'
import { ANTHROPIC, CHAT, type Dialect, GEMINI, RESPONSES, streamOf } from '../support/dialects.ts'
import { residentBytes } from '../support/process-memory.ts'
import { type Platform, requestIdOf, useGateway } from '../support/scene.ts'
import {
  answer,
  beginStream,
  type Reply,
  type ScriptedUpstream,
  type SeenRequest,
  startUpstream,
} from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

const REQUESTS = Number(process.env.SOAK_REQUESTS ?? 600)
const AT_ONCE = 50
const SLOTS = 10
const LIMIT_MS = 300_000

// As many attempts as there are accounts: whether a healthy one is found must not depend on luck.
const { gateway, record } = useGateway({ MAX_ATTEMPTS: '20', QUEUE_TIMEOUT_MS: '60000' })

type Condition = 'healthy' | 'slow' | 'limited' | 'overloaded' | 'dead' | 'broken' | 'cut' | 'hidden' | 'html'
const CONDITIONS: Condition[] = ['healthy', 'slow', 'limited', 'overloaded', 'dead', 'broken', 'cut', 'hidden', 'html']

/** A small generator with a seed: the same soak each time (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const accountOf = ({ target }: SeenRequest) => target.split('/')[1] ?? ''
const isStreamed = ({ target, body }: SeenRequest) => body.includes('"stream":true') || target.includes('stream')
const dialectOf = ({ target }: SeenRequest) =>
  target.includes('/messages')
    ? ANTHROPIC
    : target.includes('/chat/')
      ? CHAT
      : target.includes('gemini')
        ? GEMINI
        : RESPONSES

function serve(request: SeenRequest, reply: Reply): void {
  const dialect = dialectOf(request)
  if (isStreamed(request)) {
    beginStream(reply, { 'content-type': dialect.contentType })
    void reply.write(streamOf(dialect).join(''))
    reply.end()
  } else answer(reply, 200, dialect.body)
}

async function play(condition: Condition, request: SeenRequest, reply: Reply): Promise<void> {
  if (condition === 'limited') return answer(reply, 429, '{}', { 'retry-after': '2' })
  if (condition === 'overloaded') return answer(reply, 529, '{}')
  if (condition === 'dead') return reply.reset()
  if (condition === 'broken') return answer(reply, 500, 'oops')
  if (condition === 'html') return answer(reply, 200, '<html></html>', { 'content-type': 'text/html' })
  if (condition === 'slow') await Bun.sleep(30)
  if (condition !== 'cut' && condition !== 'hidden') return serve(request, reply)
  const type = isStreamed(request) ? 'text/event-stream' : 'application/json'
  reply.head(200, { 'content-type': type })
  // Before any content: after it nothing can be mended (REL-11).
  await reply.write(isStreamed(request) ? ': hi\n\n' : '{ "id": ')
  if (condition === 'cut') reply.cut()
  else reply.end()
}

interface Pool {
  platform: Platform
  dialects: Dialect[]
  names: string[]
  ids: Map<string, string>
  key: string
}

async function makePool(
  upstream: ScriptedUpstream,
  platform: Platform,
  dialects: Dialect[],
  size: number,
): Promise<Pool> {
  const { admin } = gateway()
  const group = await admin<{ id: string }>('POST', '/admin/groups', {
    name: `soak ${platform} ${upstream.port}`,
    platform,
  })
  const ids = new Map<string, string>()
  for (let index = 0; index < size; index++) {
    const name = `${platform}-${index}`
    const account = await admin<{ id: string }>('POST', '/admin/accounts', {
      name,
      platform,
      type: 'api_key',
      credentials: { api_key: `sk-of-${name}`, base_url: `${upstream.url}/${name}` },
      group_ids: [group.id],
      concurrency: SLOTS,
    })
    ids.set(name, account.id)
  }
  const { api_key: key } = await admin<{ api_key: string }>('POST', '/admin/keys', { name: 'soak', group_id: group.id })
  return { platform, dialects, names: [...ids.keys()], ids, key }
}

function send({ key }: Pool, path: string, body: string, headers: Record<string, string> = {}) {
  return fetch(gateway().url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body,
  })
}

/** The two of each pool that can always serve. */
const sound = ({ names }: Pool) => names.slice(0, 2)

test(
  'mixed requests over 20 accounts that come and go: none fails that a healthy one could have served, and nothing is left held',
  async () => {
    const random = randomFrom(11)
    const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T
    const conditions = new Map<string, Condition>()
    const upstream = await startUpstream((request, reply) =>
      play(conditions.get(accountOf(request)) ?? 'healthy', request, reply),
    )
    try {
      const pools = [
        await makePool(upstream, 'openai', [CHAT, RESPONSES], 8),
        await makePool(upstream, 'anthropic', [ANTHROPIC], 6),
        await makePool(upstream, 'gemini', [GEMINI], 6),
      ]
      const shuffle = () => {
        for (const pool of pools) {
          for (const name of pool.names) conditions.set(name, sound(pool).includes(name) ? 'healthy' : pick(CONDITIONS))
        }
      }
      shuffle()
      const failures: string[] = []
      const worker = async () => {
        while (started < REQUESTS) {
          const index = started++
          if (index % 100 === 99) {
            shuffle()
            // Somebody comes back to find the account changed.
            const pool = pick(pools)
            await gateway().admin('POST', `/admin/accounts/${pool.ids.get(pick(pool.names))}/reset`)
          }
          const pool = pick(pools)
          const dialect = pick(pool.dialects)
          const streamed = random() < 0.5
          const headers: Record<string, string> = random() < 0.5 ? { session_id: `s${Math.floor(random() * 40)}` } : {}
          const [path, body] = streamed ? [dialect.path, dialect.request] : [dialect.wholePath, dialect.wholeRequest]
          const response = await send(pool, path, body, headers)
          const text = await response.text()
          const expected = streamed ? streamOf(dialect).join('') : dialect.body
          if (response.status !== 200 || text !== expected)
            failures.push(`${requestIdOf(response)} ${response.status} ${text}`)
        }
      }
      let started = 0
      const before = residentBytes(gateway().pid)
      const startedAt = performance.now()
      await Promise.all(Array.from({ length: AT_ONCE }, worker))
      const tookMs = performance.now() - startedAt
      expect(failures).toEqual([])
      // Nothing is open upstream, and every slot of the sound accounts is there to be taken at once.
      await until(() => upstream.busy === 0, { what: 'the end of every call' })
      const after = residentBytes(gateway().pid)
      for (const pool of pools) await takeEverySlot(pool, upstream)
      const retried = upstream.requests.length - REQUESTS
      console.info(
        `${REQUESTS} requests in ${(tookMs / 1000).toFixed(1)} s, ${retried} more attempts, RSS ${toMb(before)} → ${toMb(after)} MB`,
      )
      // What a leak of a body or stream for each request would exceed.
      expect(after - before).toBeLessThan(200 * 1_048_576)
    } finally {
      await upstream.stop()
    }
  },
  LIMIT_MS,
)

const toMb = (bytes: number) => Math.round(bytes / 1_048_576)

/** With only the sound accounts: as many requests at once as they have slots are all upstream together. */
async function takeEverySlot(pool: Pool, upstream: ScriptedUpstream): Promise<void> {
  const { admin } = gateway()
  for (const [name, id] of pool.ids) {
    if (!sound(pool).includes(name)) await admin('PATCH', `/admin/accounts/${id}`, { schedulable: false })
    else await admin('POST', `/admin/accounts/${id}/reset`)
  }
  const held: (() => void)[] = []
  upstream.script = (request, reply) => void held.push(() => serve(request, reply))
  const [dialect] = pool.dialects as [Dialect]
  const slots = sound(pool).length * SLOTS
  const responses = Array.from({ length: slots }, () => send(pool, dialect.wholePath, dialect.wholeRequest))
  await until(() => held.length === slots, { what: `${slots} requests of ${pool.platform} upstream at once` })
  for (const release of held) release()
  for (const response of await Promise.all(responses)) expect(response.status).toBe(200)
}

const SESSIONS = 50
const TURNS = 20

test(
  '50 sessions of 20 turns with two accounts going away: all but the turns right after are served where the cache is warm (ACC-4)',
  async () => {
    const served = new Map<string, string[]>()
    const gone = new Set<string>()
    const upstream = await startUpstream((request, reply) => {
      const account = accountOf(request)
      if (gone.has(account)) return answer(reply, 429, '{}', { 'retry-after': '3600' })
      const session = request.header('session_id') ?? ''
      served.set(session, [...(served.get(session) ?? []), account])
      serve(request, reply)
    })
    try {
      const pool = await makePool(upstream, 'openai', [RESPONSES], 6)
      let last = ''
      for (let turn = 0; turn < TURNS; turn++) {
        if (turn === 7) gone.add('openai-1')
        if (turn === 13) gone.add('openai-4')
        const names = Array.from({ length: SESSIONS }, (_, index) => `session-${index}`)
        for (const some of [names.slice(0, 25), names.slice(25)]) {
          const responses = await Promise.all(
            some.map((name) => send(pool, RESPONSES.wholePath, RESPONSES.wholeRequest, { session_id: name })),
          )
          for (const response of responses) {
            expect(response.status).toBe(200)
            last = requestIdOf(response)
            await response.text()
          }
        }
      }
      let warm = 0
      let moves = 0
      for (const list of served.values()) {
        expect(list).toHaveLength(TURNS)
        for (let turn = 1; turn < TURNS; turn++) {
          if (list[turn] === list[turn - 1]) warm++
          else {
            moves++
            expect(gone.has(list[turn - 1] ?? '')).toBe(true)
          }
        }
      }
      expect([served.size, warm + moves]).toEqual([SESSIONS, SESSIONS * (TURNS - 1)])
      expect(moves).toBeGreaterThan(0)
      expect((await record(last)).choice).toMatchObject({ candidates: 6, sticky: 'hit' })
      console.info(`cache-friendly turns: ${((100 * warm) / (SESSIONS * (TURNS - 1))).toFixed(1)} %, moves: ${moves}`)
    } finally {
      await upstream.stop()
    }
  },
  LIMIT_MS,
)
