/**
 * `npm run bench`: every bench of this folder, one after the other, each in a process of its own. By hand, never as a test: figures of a shared
 * machine say something only as ratios within one run.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

const NOT_FIGURES = new Set(['run.ts', 'fuzz.ts', 'soak.ts'])
const files = readdirSync(import.meta.dir).filter((file) => file.endsWith('.ts') && !NOT_FIGURES.has(file))
for (const file of files.sort()) {
  console.log(`\n== ${file}`)
  const child = Bun.spawn([process.execPath, join(import.meta.dir, file)], { stdio: ['ignore', 'inherit', 'inherit'] })
  if ((await child.exited) !== 0) process.exitCode = 1
}
