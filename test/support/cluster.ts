/**
 * Several gateways on one database and one Redis, as behind a load balancer (OPS-4); or one alone, without Redis. The compiled binary each,
 * in a folder of its own.
 */
import type { Target } from '../../src/db/client.ts'
import { type FreshDatabase, freshDatabase } from './database.ts'
import { type Gateway, startGateway } from './gateway.ts'

export interface Cluster {
  gateways: readonly Gateway[]
  database: FreshDatabase
  /** Starts one anew, in the folder of one that has ended and in its place. */
  startAgain(index: number): Promise<void>
  stop(): Promise<void>
}

export interface ClusterOptions {
  count: number
  redisUrl: string | null
  settings?: Record<string, string>
}

export async function startCluster({ count, redisUrl, settings }: ClusterOptions): Promise<Cluster> {
  const database = await freshDatabase()
  const shared = {
    ADMIN_TOKEN: 'token-of-the-cluster',
    ENCRYPTION_KEY: 'encryption key of the cluster',
    FLUSH_INTERVAL_MS: '20',
    ...databaseSettings(database.target),
    ...(redisUrl === null ? {} : { REDIS_URL: redisUrl }),
    ...settings,
  }
  const gateways = await Promise.all(Array.from({ length: count }, () => startGateway(shared)))
  return {
    gateways,
    database,
    async startAgain(index) {
      gateways[index] = await startGateway(shared, gateways[index]?.folder)
    },
    async stop() {
      await Promise.all(gateways.map((gateway) => gateway.remove()))
      await database.drop()
    },
  }
}

/** A URL can't name a socket's directory; the driver takes that from where psql does. */
function databaseSettings(target: Target): Record<string, string> {
  if (typeof target === 'string') return { DATABASE_URL: target }
  return { DATABASE_URL: `postgres:///${target.database}`, PGHOST: target.host, PGUSER: target.username }
}
