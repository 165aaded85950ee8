/** `turnpike migrate`: brings the database up to date and ends (OPS-3). */
import { insertDefaultGroups } from '../db/bootstrap.ts'
import { createDatabase } from '../db/client.ts'
import { migrate } from '../db/migrate.ts'
import { CONFIG_OPTION, type Command } from './command.ts'
import { withTarget } from './open-admin.ts'
import { configOf } from './read-config.ts'

export const migrateCommand: Command = {
  name: 'migrate',
  summary: 'Bring the database up to date and exit',
  options: CONFIG_OPTION,
  run: async (input) =>
    withTarget(await configOf(input), async (target) => {
      const applied = await migrate(target)
      const database = await createDatabase({ target, rawConnections: 1, adminConnections: 1 })
      try {
        await insertDefaultGroups(database.db)
      } finally {
        await database.close()
      }
      for (const name of applied) input.terminal.out(`applied ${name}`)
      input.terminal.out('the database is up to date')
      return 0
    }),
}
