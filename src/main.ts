/**
 * The program: argv → command. The only module that acts when imported.
 *
 * Two things come before any command is loaded:
 * - Some of the runtime can only be set by environment variables that are there before the start: see `runtime.ts`. So the
 *   process replaces itself once: same pid, same arguments, for 20 ms of CPU (compiled: 98 instead of 78 for
 *   `turnpike version`).
 * - A stray rejection must not end the streams of every client: it is logged. An exception that nobody caught leaves
 *   the process in an unknown state: it is logged, and the process ends.
 */
import { writeSync } from 'node:fs'
import { createLog } from './lib/log.ts'
import { RUNTIME } from './runtime.ts'

// On stderr, as the stdout of a command may be somebody's data; at once, as the process may end right after.
const log = createLog({ write: (line) => writeSync(2, line) })

const missing = Object.keys(RUNTIME).filter((name) => process.env[name] === undefined)
if (missing.length > 0) replaceSelf({ ...RUNTIME, ...process.env })

process.on('unhandledRejection', (error) => log.error('unhandled rejection', { error, stack: stackOf(error) }))
process.on('uncaughtException', (error) => {
  log.error('uncaught exception', { error, stack: stackOf(error) })
  process.exit(1)
})

const { runCli } = await import('./cli/cli.ts')
process.exit(await runCli(process.argv.slice(2)))

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined
}

/** Returns only if the system won't have it; then the gateway works with the runtime's own settings. */
function replaceSelf(environment: NodeJS.ProcessEnv): void {
  const compiled = import.meta.path.startsWith('/$bunfs/')
  const args = compiled ? process.argv.slice(2) : [...process.execArgv, ...process.argv.slice(1)]
  try {
    process.execve?.(process.execPath, [process.argv0, ...args], environment)
  } catch (error) {
    log.warn('restart refused: these settings of the runtime are not in force', { settings: missing, error })
  }
}
