/**
 * Which command, with which options: the table and the way from `argv` to an exit code (contract.md, "Commands").
 *
 * Wrong use is one line on stderr and 2, a fault one line and 1; a stack is shown only with --debug.
 */
import { parseArgs } from 'node:util'
import { accountAdd } from './account-add.ts'
import { accountList } from './account-list.ts'
import { accountTest } from './account-test.ts'
import { type Command, type CommandInput, type Terminal, toParseOptions, WrongUse } from './command.ts'
import { doctor } from './doctor.ts'
import { helpOf, overview, usageOf } from './help.ts'
import { keyCreate } from './key-create.ts'
import { keyDisable } from './key-disable.ts'
import { keyList } from './key-list.ts'
import { migrateCommand } from './migrate.ts'
import { rotateEncryptionKeyCommand } from './rotate-encryption-key.ts'
import { serve } from './serve.ts'
import { statsExport } from './stats-export.ts'
import { statsImport } from './stats-import.ts'
import { unpack } from './unpack.ts'
import { version } from './version.ts'

const help: Command = {
  name: 'help',
  summary: 'Explain a command',
  options: {},
  operands: ['[COMMAND]'],
  run: async ({ operands, terminal }) => {
    const lines = operands.length === 0 ? overview(COMMANDS) : helpOf(commandNamed(operands.join(' ')))
    for (const line of lines) terminal.out(line)
    return 0
  },
}

export const COMMANDS: readonly Command[] = [
  serve,
  migrateCommand,
  keyCreate,
  keyList,
  keyDisable,
  accountAdd,
  accountList,
  accountTest,
  statsExport,
  statsImport,
  rotateEncryptionKeyCommand,
  doctor,
  unpack,
  version,
  help,
]

const systemTerminal: Terminal = {
  out: (line) => console.log(line),
  error: (line) => console.error(line),
  environment: process.env,
  readInput: () => Bun.stdin.text(),
  ...(process.stderr.isTTY ? { draw: (text: string) => void process.stderr.write(text) } : {}),
}

export async function runCli(argv: readonly string[], terminal: Terminal = systemTerminal): Promise<number> {
  try {
    const { command, rest } = findCommand(argv)
    const input = readInput(command, rest, terminal)
    if (input.options.help) {
      for (const line of helpOf(command)) terminal.out(line)
      return 0
    }
    return await command.run(input)
  } catch (error) {
    return report(error, terminal, argv.includes('--debug'))
  }
}

/** The command is the leading words, two if together they name one; none, or only options: serve. */
function findCommand(argv: readonly string[]): { command: Command; rest: readonly string[] } {
  const [first = '', second = ''] = argv
  if (first === '--version') return { command: version, rest: argv.slice(1) }
  if ((first === '--help' || first === '-h') && argv.length === 1) return { command: help, rest: [] }
  if (first === '' || first.startsWith('-')) return { command: serve, rest: argv }
  if (first === 'help') return { command: help, rest: argv.slice(1) }
  const pair = COMMANDS.find(({ name }) => name === `${first} ${second}`)
  return pair ? { command: pair, rest: argv.slice(2) } : { command: commandNamed(first), rest: argv.slice(1) }
}

function commandNamed(name: string): Command {
  const command = COMMANDS.find((candidate) => candidate.name === name)
  if (command) return command
  const family = COMMANDS.filter((candidate) => candidate.name.startsWith(`${name} `)).map(
    (candidate) => candidate.name,
  )
  if (family.length > 0) throw new WrongUse(`"${name}" needs a second word: ${family.join(', ')}`)
  throw new WrongUse(`unknown command "${name}": see turnpike help`)
}

function readInput(command: Command, args: readonly string[], terminal: Terminal): CommandInput {
  const { values, positionals } = parse(command, args)
  const options = values as CommandInput['options']
  if (options.help) return { options, operands: [], terminal }
  for (const [flag, { required }] of Object.entries(command.options)) {
    if (required && options[flag] === undefined) throw new WrongUse(`--${flag} is missing: ${usageOf(command)}`)
  }
  const operands = command.operands ?? []
  const needed = operands.filter((operand) => !operand.startsWith('['))
  const most = command === help ? 2 : operands.length
  if (positionals.length < needed.length)
    throw new WrongUse(`${needed[positionals.length]} is missing: ${usageOf(command)}`)
  if (positionals.length > most) throw new WrongUse(`"${positionals[most]}" is one word too many: ${usageOf(command)}`)
  return { options, operands: positionals, terminal }
}

function parse(command: Command, args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: toParseOptions(command.options),
      allowPositionals: true,
      strict: true,
    })
  } catch (error) {
    // "Unknown option '--prot'. To specify a positional …": the first sentence is for the operator.
    const [sentence = 'wrong use'] = (error as Error).message.split('. ')
    throw new WrongUse(`${sentence}: see turnpike help ${command.name}`)
  }
}

function report(error: unknown, terminal: Terminal, debug: boolean): number {
  const message = error instanceof Error ? error.message : String(error)
  terminal.error(`turnpike: ${message.split('\n')[0]}`)
  if (debug && error instanceof Error && error.stack) terminal.error(error.stack)
  return error instanceof WrongUse ? 2 : 1
}
