/**
 * A file of usage statistics → what it holds, checked (USE-7): the snapshot of contract.md, bare or wrapped as an export. Also what CLIProxyAPI
 * writes: there times have nine digits and an offset, accounts may be numbers, and there are fields of which this gateway knows nothing.
 *
 * Inside of `usage` unknown fields are passed over, because other tools add theirs; what is known must be right, and the first wrong thing is named
 * by its path ("usage.apis.x.models.y.details[3].timestamp").
 */
import { getOrAdd } from '../lib/get-or-add.ts'
import { type JsonInput, JsonInputError, type Step } from '../lib/json-input.ts'
import { createDetailList, type DetailList } from './detail-list.ts'
import { type Detail, modelNameOf, UNKNOWN_MODEL } from './stats.ts'
import {
  addTally,
  count,
  MOST_NAME_CHARACTERS,
  pathOfName,
  readTallies,
  StatsFileError,
  type Tallies,
  toDetail,
  wrong,
} from './stats-file-checks.ts'
import { createPlaces, hourName, type Place } from './stats-time.ts'

/** One key and model of a file. Totals may exceed the details: whoever wrote it had kept only the newest. */
export interface FileSeries {
  key: string
  model: string
  requests: number
  tokens: number
  details: number
  detailTokens: number
}

/** How requests lie in time, and how they ended. */
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

/** As many as take 250 MB while they are imported; larger histories come in several files. */
const MOST_DETAILS = 5_000_000

/** Beside `usage` in a tool's answer to "get", saved as it came. */
const PASSED_OVER = new Set(['failed_requests'])

const STATED = {
  requests_by_day: ['day', 'requests'],
  tokens_by_day: ['day', 'tokens'],
  requests_by_hour: ['hour', 'requests'],
  tokens_by_hour: ['hour', 'tokens'],
} as const

interface Reading {
  input: JsonInput
  file: StatsFile
  /** Key → model → its place in `file.series`. */
  known: Map<string, Map<string, number>>
  placeOf(seconds: number): Place
  sawApis: boolean
}

export function* readStatsFile(input: JsonInput, timeZone: string): Step<StatsFile> {
  const file: StatsFile = { series: [], details: createDetailList(), stated: newSpread(), listed: newSpread() }
  const reading: Reading = { input, file, known: new Map(), placeOf: createPlaces(timeZone), sawApis: false }
  if (!(yield* input.openObject())) {
    yield* input.value()
    yield* input.finish()
    throw new StatsFileError('apis', 'this is no object')
  }
  const { wrapped, unknown } = yield* readOutermost(reading)
  yield* input.finish()
  if (unknown !== null) throw new StatsFileError(unknown, `there is no field "${unknown}" here`)
  const apis = wrapped ? 'usage.apis' : 'apis'
  if (!reading.sawApis) throw new StatsFileError(apis, `${apis} is missing`)
  return file
}

function* readOutermost(reading: Reading): Step<{ wrapped: boolean; unknown: string | null }> {
  const { input } = reading
  let wrapped = false
  let unknown: string | null = null
  for (let key = yield* input.nextKey(true); key !== null; key = yield* input.nextKey(false)) {
    if (key === 'usage') {
      wrapped = true
      if (!(yield* input.openObject())) wrong('usage', 'an object')
      yield* readSnapshot(reading)
    } else if (key === 'exported_at') {
      if (typeof (yield* input.value()) !== 'string') wrong(key, 'text')
    } else if (!(yield* readField(reading, key, key))) {
      // Told at the end: what is no JSON at all is the greater fault.
      if (!PASSED_OVER.has(key)) unknown ??= key.slice(0, MOST_NAME_CHARACTERS)
      yield* input.value()
    }
  }
  return { wrapped, unknown }
}

function* readSnapshot(reading: Reading): Step<void> {
  const { input } = reading
  for (let key = yield* input.nextKey(true); key !== null; key = yield* input.nextKey(false)) {
    if (!(yield* readField(reading, key, `usage.${key}`))) yield* input.value()
  }
}

/** One field of the snapshot; false: it is none, and its value is still to be read. */
function* readField(reading: Reading, key: string, at: string): Step<boolean> {
  const { input, file } = reading
  const { outcome } = file.stated
  if (key === 'apis') yield* readApis(reading, at)
  else if (key === 'version') {
    if ((yield* input.value()) !== 1) wrong(at, '1')
  } else if (key === 'total_requests' || key === 'total_tokens') count(yield* input.value(), at)
  else if (key === 'success_count') addTally(outcome, 'ok', count(yield* input.value(), at), 0)
  else if (key === 'failure_count') addTally(outcome, 'failed', count(yield* input.value(), at), 0)
  else if (Object.hasOwn(STATED, key)) {
    const [kind, what] = STATED[key as keyof typeof STATED]
    readTallies(file.stated[kind], { value: yield* input.value(), kind, what, at })
  } else return false
  return true
}

function* readApis(reading: Reading, at: string): Step<void> {
  const { input } = reading
  if (reading.sawApis) throw new StatsFileError(at, `${at} is there twice`)
  reading.sawApis = true
  if (!(yield* input.openObject())) wrong(at, 'an object')
  for (let key = yield* input.nextKey(true); key !== null; key = yield* input.nextKey(false)) {
    const path = pathOfName(key, at)
    if (!(yield* input.openObject())) wrong(path, 'an object')
    for (let part = yield* input.nextKey(true); part !== null; part = yield* input.nextKey(false)) {
      if (part === 'models') yield* readModels(reading, key || UNKNOWN_MODEL, `${path}.models`)
      else yield* readTotal(reading, part, path)
    }
  }
}

function* readModels(reading: Reading, key: string, at: string): Step<void> {
  const { input, file } = reading
  if (!(yield* input.openObject())) wrong(at, 'an object')
  for (let model = yield* input.nextKey(true); model !== null; model = yield* input.nextKey(false)) {
    const path = pathOfName(model, at)
    if (!(yield* input.openObject())) wrong(path, 'an object')
    const number = seriesOf(reading, key, modelNameOf(model))
    const series = file.series[number] as FileSeries
    for (let part = yield* input.nextKey(true); part !== null; part = yield* input.nextKey(false)) {
      if (part === 'details') yield* readDetails(reading, number, `${path}.details`)
      else {
        const total = yield* readTotal(reading, part, path)
        if (part === 'total_requests') series.requests += total
        if (part === 'total_tokens') series.tokens += total
      }
    }
  }
}

/** 0 for a field that is no total. */
function* readTotal({ input }: Reading, part: string, path: string): Step<number> {
  const value = yield* input.value()
  return part === 'total_requests' || part === 'total_tokens' ? count(value, `${path}.${part}`) : 0
}

function* readDetails(reading: Reading, series: number, at: string): Step<void> {
  const { input } = reading
  if (!(yield* input.openArray())) {
    // Go writes a list that was never filled as null.
    if ((yield* input.value()) !== null) wrong(at, 'a list')
    return
  }
  let index = 0
  for (let first = true; ; first = false) {
    const some = yield* nextDetails(input, first, `${at}[${index}]`)
    if (some === null) return
    for (const value of some) addDetail(reading, series, toDetail(value, at, index++))
  }
}

/** What is no JSON among the details is told with the detail that it is in. */
function* nextDetails(input: JsonInput, first: boolean, at: string): Step<unknown[] | null> {
  try {
    return yield* input.elements(first)
  } catch (error) {
    throw error instanceof JsonInputError ? new JsonInputError(`${at}: ${error.message}`) : error
  }
}

function seriesOf({ known, file }: Reading, key: string, model: string): number {
  const models = getOrAdd(known, key, () => new Map<string, number>())
  const add = () => file.series.push({ key, model, requests: 0, tokens: 0, details: 0, detailTokens: 0 }) - 1
  return getOrAdd(models, model, add)
}

function addDetail({ file, placeOf }: Reading, series: number, detail: Detail): void {
  const { details, listed } = file
  if (details.count === MOST_DETAILS)
    throw new StatsFileError('usage', `there are more than ${MOST_DETAILS} details: split the file`)
  details.add(series, detail)
  const into = file.series[series] as FileSeries
  into.details++
  into.detailTokens += detail.tokens.total
  const { day, hour } = placeOf(detail.seconds)
  addTally(listed.day, day, 1, detail.tokens.total)
  addTally(listed.hour, hourName(hour), 1, detail.tokens.total)
  addTally(listed.outcome, detail.failed ? 'failed' : 'ok', 1, 0)
}

function newSpread(): Spread {
  return { day: new Map(), hour: new Map(), outcome: new Map() }
}
