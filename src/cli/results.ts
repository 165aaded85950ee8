/** What an operator's function gave → what a command says. */
import type { Static, TSchema } from '@sinclair/typebox'
import { checkValue } from '../core/check-value.ts'
import { type Fault, isFault } from '../core/fault.ts'
import { CommandFault, WrongUse } from './command.ts'

/** A body put together from options, checked as the admin API would check it. */
export function checked<S extends TSchema>(schema: S, body: Static<S>): Static<S> {
  const found = checkValue(schema, body)
  if (found) throw new WrongUse(found.message)
  return body
}

/** The thing itself; a refusal or a missing thing ends the command with one line. */
export function orFail<T>(result: T | Fault | null, missing: string): T {
  if (result === null) throw new CommandFault(missing)
  if (isFault(result)) throw new CommandFault(result.message)
  return result as T
}

/** Columns padded to their widest entry. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [heads, ...rows]
  const widths = heads.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
