/** What the binary carries: packed here as the build packs it (but fast), then started. */
import { afterAll, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packPostgres } from '../../.ci/pack-postgres.ts'
import { startEmbedded } from '../../src/db/embedded.ts'
import { filesFromArchives } from '../../src/db/embedded-archive.ts'
import { query } from '../support/embedded-place.ts'
import { spaciousDirectory } from '../support/spacious-directory.ts'

const root = mkdtempSync(join(spaciousDirectory(), 'turnpike-archive-'))
chmodSync(root, 0o755)
afterAll(() => rmSync(root, { recursive: true, force: true }))
const packed = await packPostgres(join(root, 'packed'), 1)
const files = filesFromArchives(packed.programs, packed.cluster)
const quiet = { info: () => {}, warn: () => {} }

test('the packed server starts from its archives alone and does all that the gateway asks of it (OPS-3)', async () => {
  const dataDir = join(root, 'data')
  const database = await startEmbedded({ dataDir, files, log: quiet, watchEveryMs: 0 })
  const [found] = await query(
    database,
    (sql) => sql`select
      to_char(timestamptz '2026-07-01 12:00Z' at time zone 'Europe/Berlin', 'HH24:MI') as zone,
      (select datlocale from pg_database where datname = current_database()) as locale,
      (select count(*)::int from json_to_recordset('[{"a":1},{"a":2}]') as row(a int)) as rows,
      percentile_cont(0.5) within group (order by n) as median, lower('ÄÖ') as lower from generate_series(1, 3) as n`,
  )
  expect(found).toEqual({ zone: '14:00', locale: 'C.UTF-8', rows: 2, median: 2, lower: 'äö' })
  await query(database, (sql) => sql`do $$ begin perform 1; end $$ language plpgsql`)
  await database.stop()
  expect(readdirSync(join(dataDir, 'postgres')).sort()).toEqual([
    'cluster',
    `programs-${files.key}`,
    'server.lock',
    'server.log',
    'users.lock',
  ])
})

test('a damaged archive is an error, and leaves no half of a server or a cluster (OPS-3)', async () => {
  for (const name of ['programs', 'cluster'] as const) {
    const damaged = join(root, `damaged-${name}.tar.zst`)
    writeFileSync(damaged, readFileSync(packed[name]).subarray(0, 100_000))
    const into = join(root, `into-${name}`)
    mkdirSync(into)
    const bad = filesFromArchives(name === 'programs' ? damaged : packed.programs, damaged)
    const unpacking =
      name === 'programs'
        ? bad.unpackPrograms(into)
        : bad.createCluster({ into, programs: Promise.resolve(''), identity: null })
    await expect(unpacking).rejects.toThrow()
    expect(readdirSync(into)).toEqual([])
  }
})
