/** `turnpike version`. */
import { VERSION } from '../version.ts'
import type { Command } from './command.ts'

export const version: Command = {
  name: 'version',
  summary: 'Show the version',
  options: {},
  run: async ({ terminal }) => {
    terminal.out(`turnpike ${VERSION}`)
    return 0
  },
}
