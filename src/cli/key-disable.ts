/** `turnpike key disable ID`: refused from then on, everywhere within 2 s (KEY-3). */
import { CLI_ACTOR } from '../admin/actor.ts'
import { CONFIG_OPTION, type Command } from './command.ts'
import { withAdmin } from './open-admin.ts'
import { configOf } from './read-config.ts'
import { orFail } from './results.ts'

export const keyDisable: Command = {
  name: 'key disable',
  summary: 'Disable an API key',
  options: CONFIG_OPTION,
  operands: ['ID'],
  run: async (input) =>
    withAdmin(await configOf(input), async (admin) => {
      const [id = ''] = input.operands
      const key = orFail(await admin.keys.patch(CLI_ACTOR, id, { active: false }), `there is no key ${id}`)
      input.terminal.out(`key ${key.name} is disabled`)
      return 0
    }),
}
