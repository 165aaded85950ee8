/** What values of a statistics file may be. The first wrong one is named by its path; values are never quoted, as they may be anything. */
import { type Detail, normalTotal } from './stats.ts'
import { parseInstant, TIME_RANGE } from './stats-time.ts'

/** What is wrong with a file, and where. */
export class StatsFileError extends Error {
  override name = 'StatsFileError'
  constructor(
    readonly field: string,
    message: string,
  ) {
    super(message)
  }
}

export const MOST_NAME_CHARACTERS = 256
const MOST_TEXT_CHARACTERS = 1000

/** Requests and tokens by some name: of a day, an hour, an outcome. */
export type Tallies = Map<string, { requests: number; tokens: number }>

export function addTally(tallies: Tallies, name: string, requests: number, tokens: number): void {
  const tally = tallies.get(name)
  if (tally === undefined) tallies.set(name, { requests, tokens })
  else {
    tally.requests += requests
    tally.tokens += tokens
  }
}

/** One of `list`, as core/stats knows it. */
export function toDetail(value: unknown, list: string, index: number): Detail {
  const at = (field: string) => `${list}[${index}]${field}`
  if (!isObject(value)) return wrong(at(''), 'an object')
  const { timestamp, source, auth_index: authIndex, failed, tokens } = value
  const instant = typeof timestamp === 'string' ? parseInstant(timestamp) : null
  if (instant === null) return wrong(at('.timestamp'), TIME_RANGE)
  if (failed !== undefined && typeof failed !== 'boolean') return wrong(at('.failed'), 'true or false')
  if (tokens !== undefined && !isObject(tokens)) return wrong(at('.tokens'), 'an object')
  const tokenCount = (name: string) => (tokens?.[name] === undefined ? 0 : count(tokens[name], at, `.tokens.${name}`))
  const counts = {
    input: tokenCount('input_tokens'),
    output: tokenCount('output_tokens'),
    reasoning: tokenCount('reasoning_tokens'),
    cached: tokenCount('cached_tokens'),
    total: tokenCount('total_tokens'),
  }
  return {
    ...instant,
    source: text(source, at, '.source'),
    authIndex: typeof authIndex === 'number' ? String(authIndex) : text(authIndex, at, '.auth_index'),
    failed: failed === true,
    tokens: { ...counts, total: count(normalTotal(counts), at, '.tokens.total_tokens') },
  }
}

/** A path, or what makes one: a million of them are never needed. */
type Path = string | ((field: string) => string)

export function count(value: unknown, at: Path, field = ''): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  return wrong(typeof at === 'string' ? at : at(field), 'a whole number from 0 to 9007199254740991')
}

function text(value: unknown, at: (field: string) => string, field: string): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string' && value.length <= MOST_TEXT_CHARACTERS && isStorable(value)) return value
  return wrong(at(field), `text of up to ${MOST_TEXT_CHARACTERS} characters, without NUL and without broken ones`)
}

/** The path of something named by a key of the file. */
export function pathOfName(name: string, within: string): string {
  const path = `${within}.${name.slice(0, MOST_NAME_CHARACTERS)}`
  if (name.length <= MOST_NAME_CHARACTERS && isStorable(name)) return path
  return wrong(path, `named by up to ${MOST_NAME_CHARACTERS} characters, without NUL and without broken ones`)
}

/** Postgres stores no NUL and no half of a surrogate pair. */
function isStorable(value: string): boolean {
  return !value.includes('\0') && value.isWellFormed()
}

export interface StatedTallies {
  value: unknown
  kind: 'day' | 'hour'
  what: 'requests' | 'tokens'
  at: string
}

export function readTallies(into: Tallies, { value, kind, what, at }: StatedTallies): void {
  if (!isObject(value)) wrong(at, 'an object')
  for (const [name, amount] of Object.entries(value)) {
    const path = pathOfName(name, at)
    if (kind === 'day' && parseInstant(`${name}T00:00:00Z`) === null) wrong(path, 'named by a day, like 2026-07-24')
    if (kind === 'hour' && !/^([01]\d|2[0-3])$/.test(name)) wrong(path, 'named by an hour, 00 to 23')
    const tally = count(amount, path)
    addTally(into, name, what === 'requests' ? tally : 0, what === 'tokens' ? tally : 0)
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function wrong(field: string, must: string): never {
  throw new StatsFileError(field, `${field} must be ${must}`)
}
