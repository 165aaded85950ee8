/** Counters as a starting instance opens them (OPS-4, OPS-5). Needs a Redis. */
import { afterAll, expect, test } from 'bun:test'
import { openCounters } from '../../src/state/open-counters.ts'
import { amounts, RUN, slots } from '../support/counters.ts'
import { connectRedis, startRedis } from '../support/redis.ts'

const server = await startRedis()
const OWNER = `owner-${RUN}`
const step = () => ({
  owner: OWNER,
  requestId: crypto.randomUUID(),
  limits: [slots(9)],
  amounts: amounts(),
  acceptsStale: false,
})

afterAll(async () => {
  await server?.stop()
})

function open(redisUrl: string) {
  const modes: string[] = []
  const opened = openCounters({
    redisUrl,
    redisDown: 'local',
    nowMs: Date.now,
    onModeChange: (mode) => modes.push(mode),
    onConnectionError() {},
    onConnected() {},
  })
  return { opened, modes }
}

test.skipIf(!server)(
  'once it has joined, an instance counts its very first request with the others (OPS-4)',
  async () => {
    const { opened, modes } = open(server?.url ?? '')
    await opened.joined
    await opened.counters.admit(step())
    const client = await connectRedis(server?.url ?? '')
    expect(await client.exists(`tp:{${OWNER}}:counters`)).toBe(1)
    expect(modes).toEqual([])
    client.disconnect()
    opened.stop()
  },
)

test('a Redis that is away at the start keeps nobody from starting (OPS-5)', async () => {
  const unused = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = unused
  unused.stop(true)
  const { opened, modes } = open(`redis://127.0.0.1:${port}`)
  const startedAt = performance.now()
  await opened.joined
  expect(performance.now() - startedAt).toBeLessThan(2500)
  expect((await opened.counters.admit(step())).kind).toBe('admitted')
  expect(modes).toEqual(['local'])
  opened.stop()
})
