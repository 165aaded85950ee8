/** The Config of a command: environment, `--config FILE`, and the options that are settings. */
import { readFileSync } from 'node:fs'
import { readConfig } from '../config/read-config.ts'
import type { Config } from '../config.ts'
import { type CommandInput, WrongUse } from './command.ts'

export async function configOf(
  { options, terminal }: CommandInput,
  settingOptions: readonly (keyof Config & string)[] = [],
): Promise<Config> {
  const flags = Object.fromEntries(settingOptions.map((name) => [name, options[name] as string | undefined]))
  const config = await readConfig({ environment: terminal.environment, fileText: readFile(options.config), flags })
  if ('problems' in config) throw new WrongUse(config.problems.join('; '))
  return config
}

function readFile(path: string | boolean | undefined): string | null {
  if (typeof path !== 'string') return null
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new WrongUse(
      `cannot read the config file ${path}: ${(error as NodeJS.ErrnoException).code ?? 'unknown reason'}`,
    )
  }
}
