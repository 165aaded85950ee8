/**
 * A file of usage statistics → what it holds, checked (USE-7): the snapshot of contract.md, bare or wrapped as an export. Also what CLIProxyAPI
 * writes: there times have nine digits and an offset, accounts may be numbers, and there are fields of which this gateway knows nothing.
 *
 * Inside of `usage` unknown fields are passed over, because other tools add theirs; what is known must be right, and the first wrong thing is named
 * by its path ("usage.apis.x.models.y.details[3].timestamp"). Values are never quoted.
 */
import { getOrAdd } from '../lib/get-or-add.ts'
import type { JsonInput, Step } from '../lib/json-input.ts'
import { createDetailList, type DetailList } from './detail-list.ts'
import { type Detail, modelNameOf, normalTotal, UNKNOWN_MODEL } from './stats.ts'
import { createPlaces, hourName, parseInstant, TIME_RANGE } from './stats-time.ts'

/** One key and model of a file. Totals may exceed the details: whoever wrote it had kept only the newest. */
export interface FileSeries {
  key: string
  model: string
  requests: number
  tokens: number
  details: number
  detailTokens: number
}

/** Requests and tokens by some name: of a day, an hour, an outcome. */
export type Tallies = Map<string, { requests: number; tokens: number }>

/** How a file's requests lie in time, and how they ended. */
export interface Spread {
  day: Tallies
  hour: Tallies
  /** `failed` and `ok`; without tokens. */
  outcome: Tallies
}
export const SPREAD_KINDS = ['day', 'hour', 'outcome'] as const satisfies (keyof Spread)[]

export interface StatsFile {
  series: FileSeries[]
  details: DetailList
  /** What the file says of all its requests. */
  stated: Spread
  /** What its details come to. */
  listed: Spread
}

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

/** As many as take 250 MB while they are imported; larger histories come in several files. */
export const MOST_DETAILS = 5_000_000
const MOST_NAME_CHARACTERS = 256
const MOST_TEXT_CHARACTERS = 1000

const STATED = {
  requests_by_day: ['day', 'requests'],
  tokens_by_day: ['day', 'tokens'],
  requests_by_hour: ['hour', 'requests'],
  tokens_by_hour: ['hour', 'tokens'],
} as const

/** Beside `usage` in a tool's answer to "get", saved as it came. */
const PASSED_OVER = new Set(['failed_requests'])

export function* readStatsFile(input: JsonInput, timeZone: string): Step<StatsFile> {
  const reader = createReader(input, timeZone)
  if (!(yield* input.openObject())) {
    yield* input.value()
    yield* input.finish()
    throw new StatsFileError('apis', 'this is no object')
  }
  let wrapped = false
  let unknown: string | null = null
  for (let key = yield* input.nextKey(true); key !== null; key = yield* input.nextKey(false)) {
    if (key === 'usage') {
      wrapped = true
      if (!(yield* input.openObject())) wrong('usage', 'an object')
      yield* reader.snapshot('usage.')
    } else if (key === 'exported_at') {
      if (typeof (yield* input.value()) !== 'string') wrong(key, 'text')
    } else if (!(yield* reader.field(key, ''))) {
      // Told at the end: what is no JSON at all is the greater fault.
      if (!PASSED_OVER.has(key)) unknown ??= key.slice(0, MOST_NAME_CHARACTERS)
      yield* input.value()
    }
  }
  yield* input.finish()
  if (unknown !== null) throw new StatsFileError(unknown, `there is no field "${unknown}" here`)
  return reader.done(wrapped ? 'usage.apis' : 'apis')
}

function createReader(input: JsonInput, timeZone: string) {
  const placeOf = createPlaces(timeZone)
  const known = new Map<string, Map<string, number>>()
  const file: StatsFile = { series: [], details: createDetailList(), stated: newSpread(), listed: newSpread() }
  let sawApis = false

  function seriesOf(key: string, model: string): number {
    const models = getOrAdd(known, key, () => new Map<string, number>())
    return getOrAdd(
      models,
      model,
      () => file.series.push({ key, model, requests: 0, tokens: 0, details: 0, detailTokens: 0 }) - 1,
    )
  }

  function addDetail(series: number, detail: Detail): void {
    if (file.details.count === MOST_DETAILS)
      throw new StatsFileError('usage', `more than ${MOST_DETAILS} details: split the file`)
    file.details.add(series, detail)
    const into = file.series[series] as FileSeries
    into.details++
    into.detailTokens += detail.tokens.total
    const { day, hour } = placeOf(detail.seconds)
    addTally(file.listed.day, day, 1, detail.tokens.total)
    addTally(file.listed.hour, hourName(hour), 1, detail.tokens.total)
    addTally(file.listed.outcome, detail.failed ? 'failed' : 'ok', 1, 0)
  }

  function* snapshot(path: string): Step<void> {
    for (let key = yield* input.nextKey(true); key !== null; key = yield* input.nextKey(false)) {
      if (!(yield* field(key, path))) yield* input.value()
    }
  }

  /** One field of the snapshot; false: it is none, and its value is still to be read. */
  function* field(key: string, path: string): Step<boolean> {
    const at = path + key
    if (key === 'version') {
      if ((yield* input.value()) !== 1) wrong(at, '1')
    } else if (key === 'total_requests' || key === 'total_tokens') count(yield* input.value(), at)
    else if (key === 'success_count') addTally(file.stated.outcome, 'ok', count(yield* input.value(), at), 0)
    else if (key === 'failure_count') addTally(file.stated.outcome, 'failed', count(yield* input.value(), at), 0)
    else if (key === 'apis') yield* apis(at)
    else if (Object.hasOwn(STATED, key)) {
      const [kind, what] = STATED[key as keyof typeof STATED]
      readTallies(file.stated[kind], { value: yield* input.value(), kind, what, at })
    } else return false
    return true
  }

  function* apis(at: string): Step<void> {
    if (sawApis) throw new StatsFileError(at, `${at} is there twice`)
    sawApis = true
    if (!(yield* input.openObject())) wrong(at, 'an object')
    for (let key = yield* input.nextKey(true); key !== null; key = yield* input.nextKey(false)) {
      const path = `${at}.${key.slice(0, MOST_NAME_CHARACTERS)}`
      name(key, path)
      if (!(yield* input.openObject())) wrong(path, 'an object')
      for (let part = yield* input.nextKey(true); part !== null; part = yield* input.nextKey(false)) {
        if (part === 'models') yield* models(key || UNKNOWN_MODEL, `${path}.models`)
        else {
          const value = yield* input.value()
          if (part === 'total_requests' || part === 'total_tokens') count(value, `${path}.${part}`)
        }
      }
    }
  }

  function* models(key: string, at: string): Step<void> {
    if (!(yield* input.openObject())) wrong(at, 'an object')
    for (let model = yield* input.nextKey(true); model !== null; model = yield* input.nextKey(false)) {
      const path = `${at}.${model.slice(0, MOST_NAME_CHARACTERS)}`
      name(model, path)
      if (!(yield* input.openObject())) wrong(path, 'an object')
      yield* modelParts(seriesOf(key, modelNameOf(model)), path)
    }
  }

  function* modelParts(series: number, path: string): Step<void> {
    const into = file.series[series] as FileSeries
    for (let part = yield* input.nextKey(true); part !== null; part = yield* input.nextKey(false)) {
      if (part === 'details') yield* details(series, `${path}.details`)
      else {
        const value = yield* input.value()
        if (part === 'total_requests') into.requests += count(value, `${path}.${part}`)
        else if (part === 'total_tokens') into.tokens += count(value, `${path}.${part}`)
      }
    }
  }

  function* details(series: number, at: string): Step<void> {
    if (!(yield* input.openArray())) {
      // Go writes a list that was never filled as null.
      if ((yield* input.value()) !== null) wrong(at, 'a list')
      return
    }
    let index = 0
    for (let some = yield* elements(true, at, index); some !== null; some = yield* elements(false, at, index)) {
      for (const value of some) addDetail(series, toDetail(value, at, index++))
    }
  }

  function* elements(first: boolean, at: string, index: number): Step<unknown[] | null> {
    try {
      return yield* input.elements(first)
    } catch (error) {
      if (error instanceof Error && error.name === 'JsonInputError') error.message = `${at}[${index}]: ${error.message}`
      throw error
    }
  }

  return {
    snapshot,
    field,
    done(apisField: string): StatsFile {
      if (!sawApis) throw new StatsFileError(apisField, `${apisField} is missing`)
      return file
    },
  }
}

function newSpread(): Spread {
  return { day: new Map(), hour: new Map(), outcome: new Map() }
}

export function addTally(tallies: Tallies, name: string, requests: number, tokens: number): void {
  const tally = tallies.get(name)
  if (tally === undefined) tallies.set(name, { requests, tokens })
  else {
    tally.requests += requests
    tally.tokens += tokens
  }
}

function toDetail(value: unknown, list: string, index: number): Detail {
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
  const total = count(normalTotal(counts), at, '.tokens.total_tokens')
  return {
    ...instant,
    source: text(source, at, '.source'),
    authIndex: typeof authIndex === 'number' ? String(authIndex) : text(authIndex, at, '.auth_index'),
    failed: failed === true,
    tokens: { ...counts, total },
  }
}

type Path = string | ((field: string) => string)
const pathOf = (at: Path, field: string) => (typeof at === 'string' ? at : at(field))

function count(value: unknown, at: Path, field = ''): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  return wrong(pathOf(at, field), 'a whole number from 0 to 9007199254740991')
}

function text(value: unknown, at: Path, field: string): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string' && value.length <= MOST_TEXT_CHARACTERS && isStorable(value)) return value
  return wrong(
    pathOf(at, field),
    `text of up to ${MOST_TEXT_CHARACTERS} characters, without NUL and without broken ones`,
  )
}

function name(value: string, at: string): void {
  if (value.length > MOST_NAME_CHARACTERS || !isStorable(value))
    wrong(at, `named by up to ${MOST_NAME_CHARACTERS} characters, without NUL and without broken ones`)
}

/** Postgres stores no NUL and no half of a surrogate pair. */
function isStorable(value: string): boolean {
  return !value.includes('\0') && value.isWellFormed()
}

interface StatedTallies {
  value: unknown
  kind: 'day' | 'hour'
  what: 'requests' | 'tokens'
  at: string
}

function readTallies(into: Tallies, { value, kind, what, at }: StatedTallies): void {
  if (!isObject(value)) wrong(at, 'an object')
  for (const [name, amount] of Object.entries(value)) {
    const path = `${at}.${name.slice(0, MOST_NAME_CHARACTERS)}`
    if (kind === 'day' && parseInstant(`${name}T00:00:00Z`) === null) wrong(path, 'named by a day, like 2026-07-24')
    if (kind === 'hour' && !/^([01]\d|2[0-3])$/.test(name)) wrong(path, 'named by an hour, 00 to 23')
    const tally = count(amount, path)
    addTally(into, name, what === 'requests' ? tally : 0, what === 'tokens' ? tally : 0)
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function wrong(field: string, must: string): never {
  throw new StatsFileError(field, `${field} must be ${must}`)
}
