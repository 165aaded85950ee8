/** `turnpike stats import FILE`: adds usage statistics of another turnpike or tool (USE-7), without the server; a running one hears of it. */
import { statSync } from 'node:fs'
import { CLI_ACTOR } from '../admin/actor.ts'
import { JsonInputError } from '../lib/json-input.ts'
import { CONFIG_OPTION, type Command, CommandFault, WrongUse } from './command.ts'
import { withAdmin } from './open-admin.ts'
import { createProgressBar } from './progress.ts'
import { configOf } from './read-config.ts'
import { orFail } from './results.ts'

export const statsImport: Command = {
  name: 'stats import',
  summary: 'Add usage statistics from a file; what is there already is skipped',
  options: CONFIG_OPTION,
  operands: ['FILE'],
  run: async (input) => {
    const [path = ''] = input.operands
    const size = sizeOf(path)
    return withAdmin(await configOf(input), async (admin) => {
      const bar = createProgressBar(input.terminal)
      const chunks = Bun.file(path).stream() as AsyncIterable<Uint8Array>
      const source = {
        chunks,
        onProgress: ({ what, done, of }: { what: string; done: number; of: number | null }) =>
          bar.show(what === 'bytes' ? 'reading' : 'storing', done, what === 'bytes' ? size : of),
      }
      const imported = await admin.statistics
        .importFrom(CLI_ACTOR, source)
        .catch((error) => {
          if (error instanceof JsonInputError) throw new CommandFault(`${path} is not valid JSON: ${error.message}`)
          throw error
        })
        .finally(bar.clear)
      const { added, skipped } = orFail(imported, 'there is nothing to import')
      input.terminal.out(`${added} added, ${skipped} skipped`)
      return 0
    })
  },
}

/** Before a database is opened: a wrong name is wrong use. */
function sizeOf(path: string): number {
  try {
    const found = statSync(path)
    if (found.isFile()) return found.size
  } catch (error) {
    throw new WrongUse(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? 'unknown reason'}`)
  }
  throw new WrongUse(`${path} is not a file`)
}
