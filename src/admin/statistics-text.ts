/**
 * Frozen statistics → the JSON of contract.md, "Statistics snapshot", in pieces of some kilobytes. Sums are written as they are, however large: a
 * reader whose numbers end at 2^53 rounds them, the text does not. Details are in the order of time.
 */
import type { Detail } from '../core/stats.ts'
import { formatInstant } from '../core/stats-time.ts'
import { type DetailView, detailsOf } from '../state/detail-ring.ts'
import type { FrozenModel, FrozenStats, NamedTotal } from '../state/live-stats.ts'
import { addBase, newSum, type Total, totalOf } from '../state/stat-sums.ts'

const DETAILS_A_PIECE = 100

/** The snapshot itself. `mostDetails`: of each model, the newest; null: all that are kept. */
export function* snapshotText(stats: FrozenStats, mostDetails: number | null): Generator<string> {
  const { requests, tokens } = sumOf(stats.keys.flatMap(({ models }) => models))
  const { failures } = stats
  yield `{"version":1,"total_requests":${requests},"success_count":${requests - failures},"failure_count":${failures},"total_tokens":${tokens},"apis":{`
  let separator = ''
  for (const { key, models } of stats.keys) {
    yield `${separator}${JSON.stringify(key)}:{${totalText(sumOf(models))},"models":{`
    yield* modelsText(models, mostDetails)
    yield '}}'
    separator = ','
  }
  yield '},'
  yield `"requests_by_day":${mapText(stats.days, 'requests')},"requests_by_hour":${mapText(stats.hours, 'requests')},`
  yield `"tokens_by_day":${mapText(stats.days, 'tokens')},"tokens_by_hour":${mapText(stats.hours, 'tokens')}}`
}

/** What `stats import` takes, here and at tools of this shape. */
export function* exportText(stats: FrozenStats, exportedAt: Date): Generator<string> {
  yield `{"version":1,"exported_at":"${exportedAt.toISOString()}","usage":`
  yield* snapshotText(stats, null)
  yield '}\n'
}

function* modelsText(models: readonly FrozenModel[], mostDetails: number | null): Generator<string> {
  let separator = ''
  for (const { model, sum, details } of models) {
    yield `${separator}${JSON.stringify(model)}:{${totalText(totalOf(sum))},"details":[`
    if (details !== null) yield* detailsText(details, mostDetails)
    yield ']}'
    separator = ','
  }
}

function* detailsText(view: DetailView, mostDetails: number | null): Generator<string> {
  const details = inTime(view)
  const first = mostDetails === null ? 0 : Math.max(0, details.length - mostDetails)
  for (let from = first; from < details.length; from += DETAILS_A_PIECE) {
    const piece = details.slice(from, from + DETAILS_A_PIECE).map(detailText)
    yield `${from === first ? '' : ','}${piece.join(',')}`
  }
}

/** As they were recorded is nearly as they were made: mostly there is nothing to sort. */
function inTime(view: DetailView): Detail[] {
  const details = detailsOf(view)
  const isSorted = details.every((detail, index) => index === 0 || compare(details[index - 1] as Detail, detail) <= 0)
  return isSorted ? details : details.sort(compare)
}

function compare(a: Detail, b: Detail): number {
  return a.seconds - b.seconds || a.nanos - b.nanos
}

function detailText(detail: Detail): string {
  const { source, authIndex, failed, tokens } = detail
  const counts = `"input_tokens":${tokens.input},"output_tokens":${tokens.output},"reasoning_tokens":${tokens.reasoning},"cached_tokens":${tokens.cached},"total_tokens":${tokens.total}`
  return `{"timestamp":"${formatInstant(detail)}","source":${JSON.stringify(source)},"auth_index":${JSON.stringify(authIndex)},"tokens":{${counts}},"failed":${failed}}`
}

function totalText({ requests, tokens }: Total): string {
  return `"total_requests":${requests},"total_tokens":${tokens}`
}

/** Summed from the models, so that no total can disagree with its parts. */
function sumOf(models: readonly FrozenModel[]): Total {
  const total = newSum()
  for (const { sum } of models) addBase(total, totalOf(sum))
  return totalOf(total)
}

function mapText(totals: readonly NamedTotal[], what: keyof Total): string {
  return `{${totals.map((total) => `"${total.name}":${total[what]}`).join(',')}}`
}
