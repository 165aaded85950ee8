/** `turnpike rotate-encryption-key` (ACC-8): seals everything that is stored under another key. */
import { readFileSync } from 'node:fs'
import { rotateEncryptionKey } from '../admin/key-rotation.ts'
import { keyFileIn, openEncryptionKey } from '../admin/secrets.ts'
import type { Config } from '../config.ts'
import { createDatabase } from '../db/client.ts'
import { migrate } from '../db/migrate.ts'
import { CONFIG_OPTION, type Command, type CommandInput, WrongUse } from './command.ts'
import { withTarget } from './open-admin.ts'
import { configOf } from './read-config.ts'

const LEAST_CHARACTERS = 16

export const rotateEncryptionKeyCommand: Command = {
  name: 'rotate-encryption-key',
  summary: 'Seal everything that is stored under another ENCRYPTION_KEY',
  options: {
    'new-key-file': { type: 'string', value: 'FILE', description: 'file with the new key; - reads it from stdin' },
    'while-running': { type: 'boolean', description: 'every running gateway knows both keys' },
    ...CONFIG_OPTION,
  },
  details: () => [
    'The new key comes from --new-key-file or from the variable NEW_ENCRYPTION_KEY. API keys and admin tokens go on working.',
    '',
    'With the gateways stopped: run it, then start them with the new key. A key kept in DATA_DIR is replaced there.',
    '',
    'With the gateways running:',
    '  1. start each with PREVIOUS_ENCRYPTION_KEYS=NEW beside ENCRYPTION_KEY=OLD, so that all of them open both;',
    '  2. start each with ENCRYPTION_KEY=NEW and PREVIOUS_ENCRYPTION_KEYS=OLD (a single gateway begins here);',
    '  3. with the same two variables and --while-running, run this without a new key: it seals under ENCRYPTION_KEY;',
    '  4. take PREVIOUS_ENCRYPTION_KEYS away at the next start.',
  ],
  run: async (input) => {
    const config = await configOf(input)
    const newKey = (await readNewKey(input)) ?? sameKey(config)
    if (newKey.length < LEAST_CHARACTERS)
      throw new WrongUse(`the new key is shorter than ${LEAST_CHARACTERS} characters`)
    const kept = config.encryptionKey === null
    const changed = await withTarget(config, async (target) => {
      await migrate(target)
      const database = await createDatabase({ target, rawConnections: 1, adminConnections: 1 })
      try {
        return await rotateEncryptionKey({
          database,
          currentKey: openEncryptionKey(config).value,
          previousKeys: config.previousEncryptionKeys,
          newKey,
          keyFile: kept ? keyFileIn(config.dataDir) : null,
          whileRunning: input.options['while-running'] === true,
        })
      } finally {
        await database.close()
      }
    })
    input.terminal.out(`${changed} ${changed === 1 ? 'secret is' : 'secrets are'} sealed under the new key`)
    if (kept) input.terminal.out(`${keyFileIn(config.dataDir)} holds it now`)
    else if (newKey !== config.encryptionKey) input.terminal.out('set ENCRYPTION_KEY to it before the next start')
    return 0
  },
}

/** Null: none is given. Never as an argument: those stand in the process list. */
async function readNewKey({ options, terminal }: CommandInput): Promise<string | null> {
  const file = options['new-key-file'] as string | undefined
  const fromEnvironment = terminal.environment.NEW_ENCRYPTION_KEY?.trim() || null
  if (file === undefined) return fromEnvironment
  if (file === '-') return (await terminal.readInput()).trim()
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw new WrongUse(`cannot read the new key from ${file}: ${(error as NodeJS.ErrnoException).code}`)
  }
}

/** Step 3 of the way without a stop: what older keys sealed is sealed under the one that seals already. */
function sameKey(config: Config): string {
  if (config.encryptionKey !== null && config.previousEncryptionKeys.length > 0) return config.encryptionKey
  throw new WrongUse('there is no new key: give --new-key-file FILE (- for stdin) or NEW_ENCRYPTION_KEY')
}
