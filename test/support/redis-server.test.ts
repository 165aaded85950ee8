import { expect, test } from 'bun:test'
import { RedisClient } from 'bun'
import { testRedis } from './redis-server.ts'

const redisUrl = await testRedis()

test.skipIf(redisUrl === null)('the test Redis answers and remembers', async () => {
  const redis = new RedisClient(redisUrl ?? '')
  const key = `support-${process.pid}`
  await redis.set(key, 'kept')
  expect(await redis.get(key)).toBe('kept')
  await redis.del(key)
  redis.close()
})
