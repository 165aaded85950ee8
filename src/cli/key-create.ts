/** `turnpike key create`: hands out an API key without the server (KEY-1). */
import { CLI_ACTOR } from '../admin/actor.ts'
import { ApiKeyCreate } from '../schema/api-key-views.ts'
import { CONFIG_OPTION, type Command } from './command.ts'
import { findGroupId, findUserId } from './find-by-name.ts'
import { withAdmin } from './open-admin.ts'
import { configOf } from './read-config.ts'
import { checked, orFail } from './results.ts'

export const keyCreate: Command = {
  name: 'key create',
  summary: 'Create an API key; shows it this once',
  options: {
    name: { type: 'string', value: 'N', description: 'its name in reports', required: true },
    user: { type: 'string', value: 'U', description: 'who it belongs to: id or e-mail address' },
    group: { type: 'string', value: 'G', description: 'group that serves it: id or name; default: the default groups' },
    description: { type: 'string', value: 'TEXT', description: 'a note for operators' },
    ...CONFIG_OPTION,
  },
  run: async (input) =>
    withAdmin(await configOf(input), async (admin) => {
      const { name, user, group, description } = input.options as Record<string, string | undefined>
      const body = {
        name: name ?? '',
        ...(user === undefined ? {} : { user_id: await findUserId(admin, user) }),
        ...(group === undefined ? {} : { group_id: await findGroupId(admin, group) }),
        ...(description === undefined ? {} : { description }),
      }
      const { key, apiKey } = orFail(
        await admin.keys.create(CLI_ACTOR, checked(ApiKeyCreate.schema, body)),
        'the key could not be created',
      )
      input.terminal.out(`id       ${key.id}`)
      input.terminal.out(`api key  ${apiKey}`)
      return 0
    }),
}
