/** `turnpike account add`: an upstream account with an API key, without the server (ACC). */
import { CLI_ACTOR } from '../admin/actor.ts'
import { PLATFORMS, type Platform } from '../core/platform.ts'
import { AccountCreate } from '../schema/account-views.ts'
import { CONFIG_OPTION, type Command, WrongUse } from './command.ts'
import { withAdmin } from './open-admin.ts'
import { configOf } from './read-config.ts'
import { checked, orFail } from './results.ts'

export const accountAdd: Command = {
  name: 'account add',
  summary: 'Add an upstream account with an API key',
  options: {
    platform: { type: 'string', value: 'P', description: `one of ${PLATFORMS.join(', ')}`, required: true },
    name: { type: 'string', value: 'N', description: 'its name for operators', required: true },
    'api-key': {
      type: 'string',
      value: 'K',
      description: "the platform's API key; - reads it from stdin",
      required: true,
    },
    'base-url': { type: 'string', value: 'U', description: "instead of the platform's public API" },
    ...CONFIG_OPTION,
  },
  run: async (input) => {
    const {
      platform = '',
      name = '',
      'api-key': given = '',
      'base-url': baseUrl,
    } = input.options as Record<string, string>
    if (!PLATFORMS.includes(platform as Platform))
      throw new WrongUse(`--platform must be one of ${PLATFORMS.join(', ')}`)
    const apiKey = given === '-' ? (await input.terminal.readInput()).trim() : given
    if (apiKey === '') throw new WrongUse('--api-key is empty')
    return withAdmin(await configOf(input), async (admin) => {
      const credentials = { api_key: apiKey, ...(baseUrl === undefined ? {} : { base_url: baseUrl }) }
      const body = { name, platform: platform as Platform, type: 'api_key' as const, credentials }
      const account = orFail(
        await admin.accounts.create(CLI_ACTOR, checked(AccountCreate.schema, body)),
        'the account could not be added',
      )
      input.terminal.out(`id  ${account.id}`)
      return 0
    })
  },
}
