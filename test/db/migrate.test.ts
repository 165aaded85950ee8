import { afterAll, describe, expect, test } from 'bun:test'
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrationsModule } from '../../.ci/embed-migrations.ts'
import { listAppliedMigrations, type Migration, migrate } from '../../src/db/migrate.ts'
import { MIGRATIONS } from '../../src/db/migrations.gen.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'

const ROOT = join(import.meta.dir, '../..')
const databases: FreshDatabase[] = []

async function emptyDatabase(): Promise<FreshDatabase> {
  const database = await freshDatabase({ migrated: false })
  databases.push(database)
  return database
}

afterAll(async () => {
  for (const database of databases) await database.drop()
})

const names = MIGRATIONS.map(({ name }) => name)
const extra = (sql: string, name = '9999_extra'): Migration[] => [...MIGRATIONS, { name, sql }]

describe('migrations', () => {
  test('the embedded migrations are those of drizzle/ (OPS-3)', async () => {
    expect(await Bun.file(join(ROOT, 'src/db/migrations.gen.ts')).text()).toBe(await migrationsModule())
  })

  test('no table of the schema has changed without a migration', () => {
    const copy = mkdtempSync(join(tmpdir(), 'turnpike-drizzle-'))
    try {
      cpSync(join(ROOT, 'drizzle'), copy, { recursive: true })
      const command = ['drizzle-kit', 'generate', '--dialect=postgresql', '--schema=./src/schema/*.ts']
      // drizzle-kit takes the folder relative to the working directory only.
      const { stdout } = Bun.spawnSync(['npx', ...command, `--out=${join('../'.repeat(20), copy)}`], { cwd: ROOT })
      expect(stdout.toString()).toContain('No schema changes')
      expect(readdirSync(copy)).toEqual(readdirSync(join(ROOT, 'drizzle')))
    } finally {
      rmSync(copy, { recursive: true })
    }
  }, 30_000)

  test('running them again changes nothing; name, hash and time are kept (OPS-3)', async () => {
    const { target, sql } = await emptyDatabase()
    expect(await migrate(target)).toEqual(names)
    expect(await migrate(target)).toEqual([])
    const applied = await listAppliedMigrations(sql)
    expect(applied.map(({ name }) => name)).toEqual(names)
    expect(applied[0]?.hash).toMatch(/^[0-9a-f]{64}$/)
    expect(applied[0]?.appliedAt).toBeInstanceOf(Date)
  })

  test('six instances at once migrate once (OPS-3)', async () => {
    const { target, sql } = await emptyDatabase()
    const results = await Promise.all(Array.from({ length: 6 }, () => migrate(target)))
    expect(results.filter((applied) => applied.length > 0)).toEqual([names])
    expect(await listAppliedMigrations(sql)).toHaveLength(names.length)
  })

  test('a database that is newer than the binary is refused with a sentence that says so (OPS-3)', async () => {
    const { target } = await emptyDatabase()
    await migrate(target, extra('select 1'))
    await expect(migrate(target)).rejects.toThrow(
      'the database is newer than this turnpike (it has migration 9999_extra)',
    )
  })

  test('a migration that was changed after it was applied is refused (OPS-3)', async () => {
    const { target } = await emptyDatabase()
    await migrate(target, extra('select 1'))
    await expect(migrate(target, extra('select 2'))).rejects.toThrow(
      'migration 9999_extra was applied in another version',
    )
  })

  test('a migration that fails leaves nothing of itself, and those before it stay (OPS-3)', async () => {
    const { target, sql } = await emptyDatabase()
    const broken = extra('create table half (id int)--> statement-breakpoint\nselect nonsense')
    await expect(migrate(target, broken)).rejects.toThrow('migration 9999_extra failed and was rolled back')
    await migrate(target).catch(() => {})
    const [table] = await sql`select to_regclass('half') as name`
    expect(table?.name).toBeNull()
    expect((await listAppliedMigrations(sql)).map(({ name }) => name)).toEqual(names)
    expect(await migrate(target, extra('create table half (id int)'))).toEqual(['9999_extra'])
  })
})
