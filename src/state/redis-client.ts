/**
 * The one way to connect to Redis: fails fast instead of queueing. ioredis' defaults hold commands for seconds while Redis is away, and every
 * request with them.
 *
 * If it fails: commands reject within 300 ms, and the connection is tried again and again, at most 2 s apart. Errors go to `onError`; without
 * a listener ioredis would write them to the console.
 */
import { Cluster, Redis, type RedisOptions } from 'ioredis'

export const REDIS_OPTIONS: RedisOptions = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
  commandTimeout: 300,
  connectTimeout: 1000,
  retryStrategy: (attempt) => Math.min(2000, 50 * attempt),
}

export interface RedisClientOptions {
  /** `redis://…`; several, separated by commas: nodes of a Redis Cluster. */
  url: string
  onError(error: Error): void
}

export type RedisClient = Redis | Cluster

export function createRedisClient({ url, onError }: RedisClientOptions): RedisClient {
  const urls = url.split(',').map((part) => part.trim())
  const client = urls.length === 1 ? new Redis(url, REDIS_OPTIONS) : new Cluster(urls, clusterOptions(urls[0] ?? ''))
  client.on('error', onError)
  return client
}

/** The nodes' own addresses come from the cluster; user, password and TLS from the first URL. */
function clusterOptions(url: string) {
  const { username, password, protocol } = new URL(url)
  const tls = protocol === 'rediss:' ? { tls: {} } : {}
  return {
    enableOfflineQueue: false,
    redisOptions: {
      ...REDIS_OPTIONS,
      username: decodeURIComponent(username) || undefined,
      password: decodeURIComponent(password) || undefined,
      ...tls,
    },
    clusterRetryStrategy: REDIS_OPTIONS.retryStrategy as (attempt: number) => number,
  }
}
