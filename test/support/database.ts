/**
 * A real Postgres for tests: a database of its own for each test file, copied from a migrated one.
 */
import { connect, createDatabase, type Database, type Target } from '../../src/db/client.ts'
import { migrate } from '../../src/db/migrate.ts'
import { MIGRATIONS } from '../../src/db/migrations.gen.ts'
import { testServer } from './postgres-server.ts'

export interface FreshDatabase extends Database {
  target: Target
  /** Closes the connections and drops the database. */
  drop(): Promise<void>
}

/** Templates outlive a run on a server of your own: the name tells which migrations are in it. */
const TEMPLATE = `turnpike_test_template_${Bun.hash(JSON.stringify(MIGRATIONS)).toString(16)}`
let made = 0
let template: Promise<void> | undefined

/** `migrated: false`: an empty one. */
export async function freshDatabase(options: { migrated?: boolean } = {}): Promise<FreshDatabase> {
  const server = await testServer()
  const name = `test_${process.pid}_${made++}`
  if (options.migrated !== false) {
    template ??= makeTemplate(server)
    await template
    await runOn(server, `create database ${name} template ${TEMPLATE}`)
  } else {
    await runOn(server, `create database ${name}`)
  }
  const target = inDatabase(server, name)
  const database = await createDatabase({ target })
  return {
    ...database,
    target,
    async drop() {
      await database.close()
      await runOn(server, `drop database if exists ${name} with (force)`)
    },
  }
}

/** A fresh database for as long as `use` runs. */
export async function withDatabase<T>(use: (database: FreshDatabase) => Promise<T>): Promise<T> {
  const database = await freshDatabase()
  try {
    return await use(database)
  } finally {
    await database.drop()
  }
}

/** Under a lock, as several runs may share a server; renamed when complete, as one may be killed half way. */
async function makeTemplate(server: Target): Promise<void> {
  const sql = connect(server, { max: 1, statementTimeoutMs: 0 })
  try {
    await sql`select pg_advisory_lock(hashtext(${TEMPLATE}))`
    const [found] = await sql`select 1 from pg_database where datname = ${TEMPLATE}`
    if (found !== undefined) return
    const half = `${TEMPLATE}_half`
    await sql.unsafe(`drop database if exists ${half}`)
    await sql.unsafe(`create database ${half}`)
    await migrate(inDatabase(server, half))
    await sql.unsafe(`alter database ${half} rename to ${TEMPLATE}`)
  } finally {
    await sql.end()
  }
}

async function runOn(server: Target, statement: string): Promise<void> {
  const sql = connect(server, { max: 1, statementTimeoutMs: 0 })
  try {
    await sql.unsafe(statement)
  } finally {
    await sql.end()
  }
}

function inDatabase(server: Target, database: string): Target {
  if (typeof server !== 'string') return { ...server, database }
  const url = new URL(server)
  url.pathname = `/${database}`
  return url.href
}
