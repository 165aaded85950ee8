/** The compiled program, as it ships: built when it is missing or older than what it is made of. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dir, '../..')
const BINARY = join(ROOT, 'dist/turnpike')
const MADE_OF = ['src', 'drizzle', '.ci', 'package-lock.json']

let building: Promise<string> | null = null

/** Path of dist/turnpike. Building takes 10 s, and half a minute more when Postgres must be packed (once, into .cache). */
export function builtBinary(): Promise<string> {
  building ??= build()
  return building
}

async function build(): Promise<string> {
  const newest = Math.max(...MADE_OF.map((name) => newestBelow(join(ROOT, name))))
  if (existsSync(BINARY) && statSync(BINARY).mtimeMs >= newest) return BINARY
  const child = Bun.spawn([process.execPath, '.ci/build.ts'], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  if ((await child.exited) !== 0) throw new Error(`the build failed:\n${out}${errors}`)
  return BINARY
}

function newestBelow(path: string): number {
  const found = statSync(path)
  if (!found.isDirectory()) return found.mtimeMs
  return Math.max(0, ...readdirSync(path).map((name) => newestBelow(join(path, name))))
}
