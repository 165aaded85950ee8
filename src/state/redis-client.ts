/**
 * The one way to connect to Redis: fails fast instead of queueing. ioredis' defaults hold commands for seconds while Redis is away, and every
 * request with them.
 *
 * If it fails: commands reject within a second (of time in which this process was not stalled itself, see ./redis-patience), and the connection
 * is tried again and again, at most 2 s apart. Errors go to `onError`; without a listener ioredis would write them to the console.
 */
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis'
import { limitCommandTime } from './redis-patience.ts'

/** Ms until the next attempt to connect. */
const retryAfter = (attempt: number) => Math.min(2000, 50 * attempt)

const OPTIONS: RedisOptions = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
  connectTimeout: 1000,
  retryStrategy: retryAfter,
}

export interface RedisClientOptions {
  /** `redis://…`; several, separated by commas: nodes of a Redis Cluster. */
  url: string
  onError(error: Error): void
  /** How long an answer may take; a slow Redis is as good as none. */
  commandTimeoutMs?: number
}

export type RedisClient = Redis | Cluster

export function createRedisClient({ url, onError, commandTimeoutMs = 1000 }: RedisClientOptions): RedisClient {
  const urls = url.split(',').map((part) => part.trim())
  const client =
    urls.length === 1 ? new Redis(url, OPTIONS) : new Cluster(urls, toClusterOptions(urls[0] ?? '', OPTIONS))
  limitCommandTime(client, { limitMs: commandTimeoutMs })
  client.on('error', onError)
  return client
}

/** More than `connectTimeout`, for a machine that is busy starting; no reason to keep an instance from serving for long. */
const REACHED_WITHIN_MS = 3000

/**
 * Resolves when a new client is ready for its first command, or when Redis seems to be away. Until then every command is refused, and whoever
 * takes requests would count them by itself though Redis is there (OPS-4).
 */
export function whenReached(client: Pick<RedisClient, 'once'>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, REACHED_WITHIN_MS)
  client.once('ready', resolve)
  client.once('error', () => resolve())
  return promise.finally(() => clearTimeout(timer))
}

/** The nodes' addresses come from the cluster itself; user, password and TLS from the first URL. */
function toClusterOptions(url: string, options: RedisOptions): ClusterOptions {
  const { username, password, protocol } = new URL(url)
  const identity = {
    username: decodeURIComponent(username) || undefined,
    password: decodeURIComponent(password) || undefined,
    tls: protocol === 'rediss:' ? {} : undefined,
  }
  return { enableOfflineQueue: false, redisOptions: { ...options, ...identity }, clusterRetryStrategy: retryAfter }
}

const PING_WITHIN_MS = 3000

/** Null: it answers. Else why not, as far as is known. */
export async function pingRedis(url: string): Promise<string | null> {
  let reason = 'no answer'
  const failed = Promise.withResolvers<string>()
  const onError = (error: Error) => {
    // An error that tells nothing is the library's summary of an earlier one.
    reason = (error as { code?: string }).code ?? (error.message || reason)
    failed.resolve(reason)
  }
  const client = createRedisClient({ url, onError })
  const ready = new Promise<null>((resolve) => client.once('ready', () => resolve(null)))
  const timer = setTimeout(() => failed.resolve(reason), PING_WITHIN_MS)
  try {
    const fault = await Promise.race([ready, failed.promise])
    if (fault !== null) return fault
    await client.ping()
    return null
  } catch (error) {
    return (error as Error).message
  } finally {
    clearTimeout(timer)
    client.disconnect()
  }
}
