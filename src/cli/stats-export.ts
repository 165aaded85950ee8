/** `turnpike stats export FILE`: the usage statistics of the database as a file (USE-7), without the server. */
import { open, rename, unlink } from 'node:fs/promises'
import { inTurns } from '../lib/in-turns.ts'
import { CONFIG_OPTION, type Command, CommandFault } from './command.ts'
import { withAdmin } from './open-admin.ts'
import { createProgressBar, type ProgressBar } from './progress.ts'
import { configOf } from './read-config.ts'

export const statsExport: Command = {
  name: 'stats export',
  summary: 'Write the usage statistics to a file',
  options: CONFIG_OPTION,
  operands: ['FILE'],
  run: async (input) =>
    withAdmin(await configOf(input), async (admin) => {
      const [path = ''] = input.operands
      const bar = createProgressBar(input.terminal)
      const text = await admin.statistics.export()
      const size = await writeWhole(path, inTurns(text), bar)
      input.terminal.out(`${path}: ${size} bytes`)
      return 0
    }),
}

/** Beside it first: a file of that name is either the old one or the whole new one. */
async function writeWhole(path: string, text: AsyncIterable<string>, bar: ProgressBar): Promise<number> {
  const partial = `${path}.partial`
  try {
    const file = await open(partial, 'w')
    let size = 0
    try {
      for await (const part of text) {
        const chunk = Buffer.from(part)
        await file.writeFile(chunk)
        size += chunk.length
        bar.show('bytes written', size, null)
      }
      await file.sync()
    } finally {
      bar.clear()
      await file.close()
    }
    await rename(partial, path)
    return size
  } catch (error) {
    await unlink(partial).catch(() => {})
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    throw new CommandFault(`cannot write ${path}: ${code}`)
  }
}
