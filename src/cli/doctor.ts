/** `turnpike doctor`: looks at everything an installation stands on, says what to do, and ends with 1 when something is wrong. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { examineDatabase, examineRedis, type Finding } from '../admin/doctor.ts'
import { examineJournals } from '../admin/doctor-journal.ts'
import { journalHome } from '../app/journal-home.ts'
import type { Config } from '../config.ts'
import { CONFIG_OPTION, type Command, type CommandInput, WrongUse } from './command.ts'
import { withTarget } from './open-admin.ts'
import { configOf } from './read-config.ts'

export const doctor: Command = {
  name: 'doctor',
  summary: 'Check config, database, Redis, ledger, totals and journal; exit 1 on a fault',
  options: CONFIG_OPTION,
  run: async (input) => {
    const findings = await examine(input)
    for (const line of findings.flatMap(linesOf)) input.terminal.out(line)
    return findings.some(({ advice }) => advice !== null) ? 1 : 0
  },
}

async function examine(input: CommandInput): Promise<Finding[]> {
  const config = await configOf(input).catch((error) => {
    // For every other command a wrong setting is wrong use; here it is what was asked for.
    if (error instanceof WrongUse) return error.message
    throw error
  })
  if (typeof config === 'string') return [{ what: 'config', message: config, advice: 'mend the setting' }]
  const sound: Finding = { what: 'config', message: 'every setting is one that is allowed', advice: null }
  const journals = await examineJournals(journalHome(config), Date.now())
  return [sound, ...(await examineStore(config)), await examineRedis(config.redisUrl), ...journals]
}

async function examineStore(config: Config): Promise<Finding[]> {
  if (config.databaseUrl === null && !existsSync(join(config.dataDir, 'postgres', 'cluster'))) {
    const message = `embedded, not made yet: the first turnpike serve makes it in ${config.dataDir}`
    return [{ what: 'database', message, advice: null }]
  }
  return withTarget(config, examineDatabase).catch((error: Error) => [
    { what: 'database', message: error.message, advice: 'see server.log in DATA_DIR/postgres, or set DATABASE_URL' },
  ])
}

function linesOf({ what, message, advice }: Finding): string[] {
  const [state, next] = advice === null ? ['ok   ', []] : ['FAULT', [`      ${' '.repeat(10)}${advice}`]]
  return [`${state} ${what.padEnd(10)}${message}`, ...next]
}
