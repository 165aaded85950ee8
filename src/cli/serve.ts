/**
 * `turnpike serve`: runs the gateway until it is told to stop (OPS-2).
 *
 * The first SIGTERM or SIGINT lets running streams finish, the second one ends them now.
 */
import { startApp } from '../app.ts'
import { describeSettings } from '../config.ts'
import { CONFIG_OPTION, type Command } from './command.ts'
import { configOf } from './read-config.ts'

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
    const app = await startApp(await configOf(input, ['port', 'host', 'workers']))
    const { newAdminToken } = app
    if (newAdminToken) {
      input.terminal.out(`admin token (shown this once, kept in ${newAdminToken.path}): ${newAdminToken.value}`)
    }
    return await untilStopped(app)
  },
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
  return promise
}
