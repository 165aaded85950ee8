/**
 * Brings the database up to date, on a connection of its own and under an advisory lock: any number of instances may start
 * at once, one migrates, the others wait and find nothing left to do (OPS-3). Each migration is one transaction.
 *
 * `turnpike_migrations` remembers name, hash and time. A database that knows a migration which this binary does not is
 * newer: an old binary must not write to it.
 * If it fails: rejects with a sentence for the operator; the failed migration is rolled back, those before it stay.
 */
import { checkServer, connect, type Sql, type Target } from './client.ts'
import { MIGRATIONS } from './migrations.gen.ts'

export interface Migration {
  name: string
  sql: string
}

/** Any constant does, as long as nothing else in the database locks it: "turnpike" in ASCII. */
const LOCK = '8391166501056965477'
const LOCK_TIMEOUT_MS = 300_000

/** Names of the migrations that were applied now. */
export async function migrate(target: Target, migrations: readonly Migration[] = MIGRATIONS): Promise<string[]> {
  const sql = connect(target, { max: 1, statementTimeoutMs: 0 })
  try {
    await checkServer(sql, target)
    await sql`select set_config('lock_timeout', ${String(LOCK_TIMEOUT_MS)}, false)`
    // The lock is the session's: it goes with the connection, also when this process is killed.
    await sql`select pg_advisory_lock(${LOCK}::bigint)`
    return await applyMissing(sql, migrations)
  } finally {
    await sql.end({ timeout: 5 })
  }
}

/** What the database has applied; empty before the first migration. */
export async function listAppliedMigrations(sql: Sql): Promise<{ name: string; hash: string; appliedAt: Date }[]> {
  const [table] = await sql`select to_regclass('turnpike_migrations') as name`
  if (table?.name === null) return []
  return sql`select name, hash, applied_at as "appliedAt" from turnpike_migrations order by name`
}

async function applyMissing(sql: Sql, migrations: readonly Migration[]): Promise<string[]> {
  await sql`create table if not exists turnpike_migrations (
    name text primary key, hash text not null, applied_at timestamptz not null default now())`
  const applied = new Map((await listAppliedMigrations(sql)).map(({ name, hash }) => [name, hash]))
  checkHistory(applied, migrations)
  const missing = migrations.filter(({ name }) => !applied.has(name))
  for (const migration of missing) await apply(sql, migration)
  return missing.map(({ name }) => name)
}

function checkHistory(applied: ReadonlyMap<string, string>, migrations: readonly Migration[]): void {
  const known = new Map(migrations.map((migration) => [migration.name, hashOf(migration)]))
  for (const [name, hash] of applied) {
    const expected = known.get(name)
    if (expected === undefined)
      throw new Error(`the database is newer than this turnpike (it has migration ${name}): start a newer version`)
    if (expected !== hash)
      throw new Error(
        `migration ${name} was applied in another version than this turnpike's: restore the matching binary`,
      )
  }
}

async function apply(sql: Sql, migration: Migration): Promise<void> {
  await sql
    .begin(async (transaction) => {
      for (const statement of migration.sql.split('--> statement-breakpoint')) await transaction.unsafe(statement)
      await transaction`insert into turnpike_migrations (name, hash) values (${migration.name}, ${hashOf(migration)})`
    })
    .catch((error) => {
      throw new Error(`migration ${migration.name} failed and was rolled back: ${error.message}`, { cause: error })
    })
}

function hashOf(migration: Migration): string {
  return new Bun.CryptoHasher('sha256').update(migration.sql).digest('hex')
}
