/**
 * `turnpike serve --workers N`: this process only looks after N others that serve, all on one port (OPS-4). The kernel gives each new
 * connection to one of them.
 *
 * A worker is the same program with `TURNPIKE_WORKER` in its environment. It says over the channel between the two that it is ready; when
 * that channel closes because the parent was killed, it ends by itself, as on SIGTERM.
 */
import { createLog, type LogLevel } from '../lib/log.ts'
import { createWorkerGroup, FirstWorkerFailed, type Worker } from '../lib/worker-group.ts'

const MARK = 'TURNPIKE_WORKER'
const READY = 'ready'

/** Is this process one of several? */
export function isWorker(environment: Readonly<Record<string, string | undefined>>): boolean {
  return environment[MARK] !== undefined
}

/** Tells the parent that this worker serves, and ends with it. */
export function reportReady(onParentGone: () => void): void {
  process.send?.(READY)
  process.on('disconnect', onParentGone)
}

/** Exit code, once all have ended. */
export async function runWorkers(count: number, logLevel: LogLevel): Promise<number> {
  const log = createLog({ level: logLevel })
  const group = createWorkerGroup({
    count,
    start: startWorker,
    pause: (ms) => Bun.sleep(ms),
    onEvent: (event, fields) => log.error(event, fields),
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, group.end)
  // A new binary in the old one's place takes over without a dropped stream: old workers finish theirs.
  onReload(group.end, () => {
    log.info('replacing workers')
    void group.replaceAll().then(() => log.info('workers replaced'))
  })
  try {
    return await group.run()
  } catch (error) {
    // It has said why itself.
    if (error instanceof FirstWorkerFailed) return error.code
    throw error
  }
}

/** SIGHUP: a terminal that was closed, or an operator's reload where there is none. */
export function onReload(end: () => void, reload: () => void): void {
  const hasTerminal = process.stdout.isTTY === true
  process.on('SIGHUP', () => (hasTerminal ? end() : reload()))
}

function startWorker(): Worker {
  const compiled = import.meta.path.startsWith('/$bunfs/')
  const program = compiled ? [process.execPath] : [process.execPath, ...process.execArgv, process.argv[1] ?? '']
  const ready = Promise.withResolvers<void>()
  const child = Bun.spawn([...program, ...process.argv.slice(2)], {
    env: { ...process.env, [MARK]: '1' },
    stdio: ['ignore', 'inherit', 'inherit'],
    // A terminal's ^C goes to the parent alone, which passes it on: twice would mean "now".
    detached: true,
    ipc: (message) => {
      if (message === READY) ready.resolve()
    },
  })
  // Told to end while it still started, it has nothing to finish and ends by the signal itself.
  const exited = child.exited.then((code) => (child.signalCode === 'SIGTERM' ? 0 : code))
  return { pid: child.pid, ready: ready.promise, exited, end: () => child.kill('SIGTERM') }
}
