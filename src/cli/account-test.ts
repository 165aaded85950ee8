/** `turnpike account test ID` (ACC-15): one tiny request through the account; exit 1 when it does not answer as it should. */
import { CONFIG_OPTION, type Command } from './command.ts'
import { withAdmin } from './open-admin.ts'
import { configOf } from './read-config.ts'
import { orFail } from './results.ts'

export const accountTest: Command = {
  name: 'account test',
  summary: 'Send one tiny request through an account',
  options: {
    model: { type: 'string', value: 'M', description: 'model to ask; default: the cheapest that makes sense' },
    ...CONFIG_OPTION,
  },
  operands: ['ID'],
  run: async (input) =>
    withAdmin(await configOf(input), async (admin) => {
      const [id = ''] = input.operands
      const model = (input.options.model as string | undefined) ?? null
      const {
        ok,
        status,
        ms,
        model: asked,
        cause,
        message,
      } = orFail(await admin.access.test(id, model), `there is no account ${id}`)
      const answer = status === null ? 'no answer' : `status ${status}`
      input.terminal.out(`${ok ? 'ok' : 'failed'}: ${answer} from ${asked} after ${ms} ms`)
      if (!ok) input.terminal.out([cause, message].filter((part) => part !== null).join(': '))
      return ok ? 0 : 1
    }),
}
