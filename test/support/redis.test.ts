import { afterAll, expect, test } from 'bun:test'
import { connectRedis, startRedis } from './redis.ts'

const server = await startRedis()
afterAll(() => server?.stop())

test.skipIf(!server)('the test Redis answers and remembers', async () => {
  const redis = await connectRedis(server?.url ?? '')
  const key = `support-${crypto.randomUUID()}`
  await redis.set(key, 'kept')
  expect(await redis.get(key)).toBe('kept')
  await redis.del(key)
  redis.disconnect()
})

test.skipIf(!server?.isOwn)('one of its own can be killed and started again, empty, on the same port', async () => {
  await server?.stop()
  await server?.start()
  const redis = await connectRedis(server?.url ?? '')
  expect(await redis.dbsize()).toBe(0)
  redis.disconnect()
})
