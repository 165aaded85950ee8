/** `turnpike key list`. */
import { CONFIG_OPTION, type Command } from './command.ts'
import { allRows } from './find-by-name.ts'
import { withAdmin } from './open-admin.ts'
import { configOf } from './read-config.ts'
import { table } from './results.ts'

export const keyList: Command = {
  name: 'key list',
  summary: 'List the API keys',
  options: CONFIG_OPTION,
  run: async (input) =>
    withAdmin(await configOf(input), async (admin) => {
      const keys = await allRows((query) => admin.keys.list(query))
      const rows = keys.map((key) => [
        key.id,
        `${key.keyPrefix}…${key.keyLast4}`,
        key.active ? 'active' : 'disabled',
        key.lastUsedAt?.toISOString() ?? 'never',
        key.name,
      ])
      for (const line of table(['ID', 'KEY', 'STATE', 'LAST USED', 'NAME'], rows)) input.terminal.out(line)
      return 0
    }),
}
