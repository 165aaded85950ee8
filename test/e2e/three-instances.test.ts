/**
 * Three instances behind a load balancer, on one Postgres and one Redis, behave as one (OPS-4): whichever of them a connection meets, its session
 * is known, a change has been heard, limits hold while they are replaced (OPS-2), and jobs are done once. That limits and money are exact under
 * 500 requests at once is exact-limits.test.ts's; several processes on one port are workers.test.ts's. Needs a Redis.
 */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { type Balancer, startBalancer } from '../support/balancer.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { CHAT, streamOf } from '../support/dialects.ts'
import type { Gateway } from '../support/gateway.ts'
import { connectRedis, type RedisServer, startRedis } from '../support/redis.ts'
import { openScene, type Scene, type SceneOptions, type UsageRecord } from '../support/scene.ts'
import { answer, beginStream, type ScriptedUpstream, sendPieces, startUpstream } from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

const START_LIMIT_MS = 180_000
const COUNT = 3
/** Redis may be slow on a busy machine; that it counts as away then is another test's matter. */
const SETTINGS = { REDIS_TIMEOUT: '30', INSTANCE_TIMEOUT: '3', LIVE_SHARE_AFTER: '0' }
const LEADS = '"leads the jobs"'

setDefaultTimeout(60_000)
const redis: RedisServer | null = await startRedis()
let cluster: Cluster
let balancer: Balancer
const upstreams: ScriptedUpstream[] = []

beforeAll(async () => {
  if (redis === null) return
  if (!redis.isOwn) await (await connectRedis(redis.url)).flushdb()
  cluster = await startCluster({ count: COUNT, redisUrl: redis.url, settings: SETTINGS })
  balancer = await startBalancer(() => cluster.gateways.map(portOf))
}, START_LIMIT_MS)
afterEach(async () => {
  await Promise.all(upstreams.splice(0).map((upstream) => upstream.stop()))
})
afterAll(async () => {
  await balancer?.stop()
  await cluster?.stop()
  await redis?.stop()
}, START_LIMIT_MS)

const portOf = ({ url }: Gateway) => Number(new URL(url).port)
const instance = (index: number) => cluster.gateways[index] as Gateway

/** Each request on a connection of its own, so that the balancer gives it to the next instance. */
function ask(url: string, key: string, init: { body?: string; session?: string } = {}): Promise<Response> {
  const { body = CHAT.wholeRequest, session } = init
  return fetch(url + CHAT.path, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      connection: 'close',
      ...(session && { session_id: session }),
    },
    body,
    keepalive: false,
  })
}

/** Accounts and a key that every instance knows. */
async function play(name: string, options: SceneOptions = {}): Promise<Scene> {
  const upstream = await startUpstream(options.script ?? ((_, reply) => answer(reply, 200, CHAT.body)))
  upstreams.push(upstream)
  const scene = await openScene(instance(0), upstream, { name, ...options })
  const knows = async ({ url }: Gateway) =>
    (await fetch(`${url}/v1/key`, { headers: { authorization: `Bearer ${scene.key}` } })).ok
  for (const gateway of cluster.gateways) await until(() => knows(gateway), { what: 'the key everywhere' })
  return scene
}

describe.skipIf(redis === null)('three instances behind a load balancer', () => {
  const SESSIONS = Array.from({ length: 12 }, (_, index) => `conversation-${index}`)

  test('sessions stay with their accounts, and one that has to move moves for all instances (ACC-4, OPS-4)', async () => {
    const accounts = ['/a', '/b', '/c', '/d'].map((path) => ({ path }))
    const { upstream, key } = await play('sessions', { accounts })
    const turn = async (session: string) => {
      const response = await ask(balancer.url, key, { session })
      expect(response.status).toBe(200)
      await response.text()
      return upstream.requests.at(-1)?.target.split('/')[1] ?? ''
    }
    const turns = async () => {
      const served = new Map<string, string>()
      for (const session of SESSIONS) served.set(session, await turn(session))
      return served
    }
    const first = await turns()
    expect(new Set(first.values()).size).toBeGreaterThan(1)
    const client = await connectRedis(redis?.url ?? '')
    await until(async () => (await client.keys('tp:*:session')).length >= SESSIONS.length, { what: 'all bindings' })
    client.disconnect()
    // Twelve sessions over three instances: one more request between the rounds gives each session to another instance.
    balancer.taken.clear()
    for (let round = 0; round < 3; round++) {
      await turn('of nobody')
      expect(await turns()).toEqual(first)
    }
    expect(balancer.taken.size).toBe(COUNT)

    const [moving = '', account] = [...first][0] ?? []
    upstream.script = (request, reply) =>
      request.target.startsWith(`/${account}/`)
        ? answer(reply, 429, '{}', { 'retry-after': '3600' })
        : answer(reply, 200, CHAT.body)
    const moved = await turn(moving)
    expect(moved).not.toBe(account)
    for (let next = 0; next < 3 * COUNT; next++) expect(await turn(moving)).toBe(moved)
  })

  test('a disabled key is refused by each of them within 2 s, and serves again as soon (KEY-3, OPS-4)', async () => {
    const { upstream, key, keyId } = await play('disabled')
    const statuses = () => Promise.all(cluster.gateways.map(async ({ url }) => (await ask(url, key)).status))
    expect(await statuses()).toEqual([200, 200, 200])
    for (const [active, status] of [
      [false, 401],
      [true, 200],
    ] as const) {
      await instance(1).admin('PATCH', `/admin/keys/${keyId}`, { active })
      const everywhere = async () => (await statuses()).every((one) => one === status)
      await until(everywhere, { what: `${status} from each instance`, withinMs: 2000 })
      const before = upstream.requests.length
      await statuses()
      expect(upstream.requests.length - before).toBe(active ? COUNT : 0)
    }
  })

  test('all three replaced one by one under load: no stream is cut, and a limit of 400 lets exactly 400 through (KEY-7, OPS-2, OPS-4)', async () => {
    const LIMIT = 400
    /** So that six clients take longer for them than replacing three instances usually does. */
    const PAUSE_MS = 60
    const { upstream, key } = await play('replaced', {
      key: { rate_limit_window: 60, rate_limit_requests: LIMIT },
      script: async (_, reply) => {
        beginStream(reply)
        await sendPieces(reply, [...CHAT.opening, ...CHAT.content])
        await Bun.sleep(PAUSE_MS)
        await sendPieces(reply, CHAT.closing)
        reply.end()
      },
    })
    const whole = streamOf(CHAT).join('')
    let [served, refused, replaced] = [0, 0, false]
    const cut: string[] = []
    async function client(): Promise<void> {
      while (!replaced || refused === 0) {
        // A connection that an instance took just before it closed its door ends without a head: clients ask again, as for 503.
        const response = await ask(balancer.url, key, { body: CHAT.request }).catch(() => null)
        if (response === null || response.status === 503) continue
        const text = await response.text().catch((error) => String(error))
        if (response.status === 429) refused++
        else if (response.status === 200 && text === whole) served++
        else cut.push(`${response.status} ${text}`)
      }
    }
    const clients = Array.from({ length: 6 }, client)
    for (let index = 0; index < COUNT; index++) {
      await until(() => upstream.busy > COUNT || refused > 0, { what: 'streams under way' })
      expect(await instance(index).stop('SIGTERM')).toBe(0)
      await cluster.startAgain(index)
    }
    replaced = true
    await Promise.all(clients)
    expect(cut).toEqual([])
    expect([served, upstream.requests.length]).toEqual([LIMIT, LIMIT])
  })

  test('jobs are done by one of them; when it is killed, by one other, which marks what was lost once (USE-3, OPS-4)', async () => {
    const leaders = () => cluster.gateways.filter((gateway) => gateway.log().includes(LEADS))
    const leader = await until(() => leaders()[0], { what: 'one that leads the jobs' })
    expect(leaders()).toHaveLength(1)
    const others = cluster.gateways.filter((gateway) => gateway !== leader)
    const [other] = others as [Gateway, Gateway]
    const { key, keyId } = await play('lost', {
      script: (_, reply) => {
        beginStream(reply)
        void reply.write([...CHAT.opening, ...CHAT.content].join(''))
      },
    })
    const STREAMS = 4
    const streams = await Promise.all(
      Array.from({ length: STREAMS }, () => ask(leader.url, key, { body: CHAT.request })),
    )
    const ids = streams.map((stream) => stream.headers.get('x-turnpike-request-id') ?? '')
    const shown = () => other.admin<{ data: object[] }>('GET', `/admin/usage/active?ids=${ids.join(',')}`)
    await until(async () => (await shown()).data.length === STREAMS, { what: 'another instance to show the streams' })
    await leader.stop('SIGKILL')
    for (const stream of streams) await stream.body?.cancel().catch(() => undefined)

    const lost = async () => (await other.admin<{ data: UsageRecord[] }>('GET', `/admin/usage?key_id=${keyId}`)).data
    await until(async () => (await lost()).length >= STREAMS, { what: 'their records', withinMs: 30_000, everyMs: 50 })
    const records = await lost()
    expect(records.map(({ id }) => id).sort()).toEqual(ids.sort())
    expect(new Set(records.map((record) => record.error_code))).toEqual(new Set(['instance_lost']))
    const marking = (gateway: Gateway) =>
      [...gateway.log().matchAll(/"fail lost requests","failed":(\d+)/g)].map(([, failed]) => Number(failed))
    const marked = others.map(marking)
    expect(marked.flat().reduce((sum, failed) => sum + failed, 0)).toBe(STREAMS)
    expect(marked.filter((turns) => turns.length > 0)).toHaveLength(1)
    expect(others.filter((gateway) => gateway.log().includes(LEADS))).toHaveLength(1)
  })
})
