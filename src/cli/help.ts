/** The help texts, made of the command table: nothing is told twice. */
import { COMMON_OPTIONS, type Command, type Option } from './command.ts'

export function usageOf({ name, options, operands = [] }: Command): string {
  const required = Object.entries(options).filter(([, option]) => option.required)
  const words = [...required.map(([flag, option]) => `--${flag} ${option.value ?? 'VALUE'}`), ...operands]
  const more = Object.keys(options).length > required.length ? ['[options]'] : []
  return ['turnpike', name, ...words, ...more].join(' ')
}

export function helpOf(command: Command): string[] {
  const lines = [`Usage: ${usageOf(command)}`, '', `${command.summary}.`, '', 'Options:']
  const options = Object.entries({ ...command.options, ...COMMON_OPTIONS })
  for (const [flag, option] of options) lines.push(optionLine(flag, option))
  const details = command.details?.() ?? []
  return details.length > 0 ? [...lines, '', ...details] : lines
}

function optionLine(flag: string, { type, value = 'VALUE', description, required }: Option): string {
  const left = type === 'string' ? `--${flag} ${value}` : `--${flag}`
  return `  ${left.padEnd(28)} ${description}${required ? ' (required)' : ''}`
}

export function overview(commands: readonly Command[]): string[] {
  return [
    'turnpike: a gateway between AI clients and AI providers',
    '',
    'Usage: turnpike [COMMAND] [options]',
    '',
    'Commands:',
    ...commands.filter(({ internal }) => !internal).map((command) => `  ${command.name.padEnd(22)} ${command.summary}`),
    '',
    'Without a command: serve. Settings come from the environment: turnpike help serve',
  ]
}
