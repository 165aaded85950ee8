#!/usr/bin/env bun
/**
 * The program: argv → command. The only module that acts when imported.
 *
 * Two things must happen before anything else is loaded:
 * - Bun's fetch allows 256 requests at a time, open streams included, and only an environment variable set before the
 *   start changes that. So the process replaces itself once, same pid, same arguments (+6 ms compiled, measured).
 * - A stray rejection must not end the streams of every client. It is logged. An exception that nobody caught leaves the
 *   process in an unknown state: it is logged and the process ends.
 */
const FETCH_LIMIT = 'BUN_CONFIG_MAX_HTTP_REQUESTS'

if (process.env[FETCH_LIMIT] === undefined) replaceSelf({ ...process.env, [FETCH_LIMIT]: '65535' })

process.on('unhandledRejection', (reason) => complain('unhandled rejection', reason))
process.on('uncaughtException', (error) => {
  complain('uncaught exception', error)
  process.exit(1)
})

const { runCli } = await import('./cli/cli.ts')
process.exit(await runCli(process.argv.slice(2)))

/** Returns only when the system won't have it; then the gateway works, with fewer streams at a time. */
function replaceSelf(environment: NodeJS.ProcessEnv): void {
  const compiled = import.meta.path.startsWith('/$bunfs/')
  const args = compiled ? process.argv.slice(2) : [...process.execArgv, ...process.argv.slice(1)]
  try {
    process.execve?.(process.execPath, [process.argv0, ...args], environment)
  } catch (cause) {
    complain('can not restart with more connections; at most 256 upstream requests at a time', cause)
  }
}

function complain(event: string, cause: unknown): void {
  const error = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  console.error(JSON.stringify({ time: new Date().toISOString(), level: 'error', event, error }))
}
