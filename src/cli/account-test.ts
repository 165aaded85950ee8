/** `turnpike account test ID` (ACC-15): waits for the relay, which knows how to send a request through an account. */
import { CONFIG_OPTION, type Command, CommandFault } from './command.ts'

export const accountTest: Command = {
  name: 'account test',
  summary: 'Send one tiny request through an account',
  options: CONFIG_OPTION,
  operands: ['ID'],
  run: async () => {
    throw new CommandFault('account test is not part of this build yet')
  },
}
