/**
 * `turnpike serve`: runs the gateway until it is told to stop (OPS-2).
 *
 * The first SIGTERM or SIGINT lets running streams finish, the second one ends them now. With `--workers` it only looks after the processes
 * that do it; SIGHUP replaces those one by one.
 */
import { startApp } from '../app.ts'
import { type Config, describeSettings } from '../config.ts'
import { CONFIG_OPTION, type Command, WrongUse } from './command.ts'
import { configOf } from './read-config.ts'
import { isWorker, onReload, reportReady, runWorkers } from './worker-process.ts'

export const serve: Command = {
  name: 'serve',
  summary: 'Run the gateway; brings the database up to date first',
  options: {
    port: { type: 'string', value: 'N', description: 'as PORT' },
    host: { type: 'string', value: 'ADDRESS', description: 'as HOST' },
    workers: { type: 'string', value: 'N', description: 'as WORKERS' },
    ...CONFIG_OPTION,
  },
  details: () => [
    'Settings, each an environment variable and, in lower case, a key of the config file. In brackets: the default.',
    ...describeSettings(),
  ],
  run: async (input) => {
    const config = await configOf(input, ['port', 'host', 'workers'])
    const sharesPort = isWorker(input.terminal.environment)
    if (config.workers > 1 && !sharesPort) return runWorkers(checkedWorkers(config), config.logLevel)
    const app = await startApp(config, { sharesPort })
    const { newAdminToken } = app
    if (newAdminToken) {
      input.terminal.out(`admin token (shown this once, kept in ${newAdminToken.path}): ${newAdminToken.value}`)
    }
    const stopped = untilStopped(app)
    if (sharesPort) reportReady(() => process.emit('SIGTERM'))
    return await stopped
  },
}

/** Several processes without Redis would each count a key's limits for themselves, and on port 0 each listen somewhere else. */
function checkedWorkers({ workers, redisUrl, port }: Config): number {
  if (redisUrl === null) {
    throw new WrongUse('WORKERS above 1 needs REDIS_URL: without it each process would count limits and sessions alone')
  }
  if (port === 0) throw new WrongUse('WORKERS above 1 needs a PORT that is not 0')
  return workers
}

interface Stoppable {
  stop(): Promise<void>
  /** Ends what still runs. */
  stopNow(): Promise<void>
}

function untilStopped(app: Stoppable): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  let signals = 0
  const onSignal = () => {
    signals += 1
    if (signals > 2) return
    const stopping = signals === 1 ? app.stop() : app.stopNow()
    stopping.then(() => resolve(0), reject)
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  // One process has nobody to hand over to; a reload by mistake must not end it.
  onReload(onSignal, () => undefined)
  return promise
}
