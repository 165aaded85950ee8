/** `turnpike account list`. */
import { CONFIG_OPTION, type Command } from './command.ts'
import { allRows } from './find-by-name.ts'
import { withAdmin } from './open-admin.ts'
import { configOf } from './read-config.ts'
import { table } from './results.ts'

export const accountList: Command = {
  name: 'account list',
  summary: 'List the upstream accounts',
  options: CONFIG_OPTION,
  run: async (input) =>
    withAdmin(await configOf(input), async (admin) => {
      const accounts = await allRows((query) => admin.accounts.list(query))
      const rows = accounts.map(({ id, platform, type, status, schedulable, priority, name }) => [
        id,
        platform,
        type,
        schedulable ? status : `${status}, paused`,
        String(priority),
        name,
      ])
      for (const line of table(['ID', 'PLATFORM', 'TYPE', 'STATUS', 'PRIORITY', 'NAME'], rows)) input.terminal.out(line)
      return 0
    }),
}
