/** What a command of the binary is. The table is in `./cli.ts`; each command is one file. */
import type { ParseArgsOptionsConfig } from 'node:util'

/** How a command reaches the world: replaced in tests. */
export interface Terminal {
  out(line: string): void
  error(line: string): void
  environment: Readonly<Record<string, string | undefined>>
  /** All of stdin: for secrets that must not stand in the process list. */
  readInput(): Promise<string>
  /** Writes over the last line; only where somebody sees it. */
  draw?(text: string): void
}

export interface CommandInput {
  options: Readonly<Record<string, string | boolean | undefined>>
  /** As many as `operands` names. */
  operands: readonly string[]
  terminal: Terminal
}

export interface Option {
  type: 'string' | 'boolean'
  /** What stands for the value in the help text: "N". */
  value?: string
  description: string
  required?: boolean
}

export interface Command {
  /** One word, or two: "key create". */
  name: string
  summary: string
  /** Called by the binary itself: not told of in the overview. */
  internal?: boolean
  options: Readonly<Record<string, Option>>
  /** Names of what must follow, in order: ["ID"]. One in brackets may be absent. */
  operands?: readonly string[]
  /** Further lines of `help`. */
  details?(): string[]
  /** Exit code. */
  run(input: CommandInput): Promise<number>
}

/** The caller used it wrongly: one clear line, exit 2. */
export class WrongUse extends Error {
  override name = 'WrongUse'
}

/** It can't be done, for a reason the operator can act on: one clear line, exit 1. */
export class CommandFault extends Error {
  override name = 'CommandFault'
}

export const COMMON_OPTIONS: Readonly<Record<string, Option>> = {
  debug: { type: 'boolean', description: 'show the stack of a fault' },
  help: { type: 'boolean', description: 'show this and exit' },
}

export const CONFIG_OPTION: Readonly<Record<string, Option>> = {
  config: { type: 'string', value: 'FILE', description: 'YAML file with settings; the environment wins over it' },
}

export function toParseOptions(options: Readonly<Record<string, Option>>): ParseArgsOptionsConfig {
  const entries = Object.entries({ ...COMMON_OPTIONS, ...options }).map(([name, { type }]) => [name, { type }])
  return { ...Object.fromEntries(entries), help: { type: 'boolean', short: 'h' } }
}
