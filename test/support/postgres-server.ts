/**
 * One Postgres server for a run of tests: TEST_DATABASE_URL if set, else the one that `npm test` started, else an
 * embedded one of this process, in a temporary directory, without fsync.
 *
 * A run that was killed leaves its server behind: the next run ends it.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Target } from '../../src/db/client.ts'
import { startEmbedded } from '../../src/db/embedded.ts'
import { DATABASE_NAME } from '../../src/db/embedded-files.ts'
import { tryLockFile } from '../../src/lib/file-lock.ts'
import { spaciousDirectory } from './spacious-directory.ts'
import { atEnd } from './teardown.ts'

/** Set by test/support/run.ts: the directory of the server's socket. */
export const SOCKET_DIRECTORY_VARIABLE = 'TEST_DATABASE_SOCKET_DIRECTORY'

const PREFIX = 'turnpike-test-run-'
const SETTINGS = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '100' }
const quiet = { info: () => {}, warn: () => {} }
let own: Promise<Target> | undefined

export function testServer(): Promise<Target> {
  const { TEST_DATABASE_URL: url, [SOCKET_DIRECTORY_VARIABLE]: host } = process.env
  if (url) return Promise.resolve(url)
  if (host) return Promise.resolve({ host, username: DATABASE_NAME, database: DATABASE_NAME })
  own ??= startTestServer().then(({ target, stop }) => {
    atEnd(stop)
    return target
  })
  return own
}

export async function startTestServer() {
  await endAbandoned()
  const dataDir = mkdtempSync(join(spaciousDirectory(), PREFIX))
  const { target, stop } = await startEmbedded({ dataDir, log: quiet, settings: SETTINGS, watchEveryMs: 0 })
  return {
    target,
    stop: async () => {
      await stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

async function endAbandoned(): Promise<void> {
  for (const name of readdirSync(spaciousDirectory())) {
    const dataDir = join(spaciousDirectory(), name)
    if (!name.startsWith(PREFIX) || !isAbandoned(dataDir)) continue
    await startEmbedded({ dataDir, log: quiet, settings: SETTINGS, watchEveryMs: 0 })
      .then(({ stop }) => stop())
      .catch(() => {})
    rmSync(dataDir, { recursive: true, force: true })
  }
}

/** Older than a minute (its run has had time to take its share of the server) and in nobody's use. */
function isAbandoned(dataDir: string): boolean {
  try {
    if (Date.now() - statSync(dataDir).mtimeMs < 60_000) return false
    const lock = tryLockFile(join(dataDir, 'postgres/users.lock'), 'exclusive')
    lock?.release()
    return lock !== null
  } catch {
    return false
  }
}
