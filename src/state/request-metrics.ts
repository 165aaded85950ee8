/**
 * Counts of finished requests for Prometheus (OPS-7), fed by Receipts alone.
 *
 * Invariant: the label sets are bounded, whatever clients send. A model is told by the name of the price row that it matched, so that the
 * price table bounds the names; an unpriced one by the upstream's name, if a request for it ever succeeded and it is among the first
 * hundred; anything else is "other".
 * Per request: three look-ups and a dozen additions, 0.2 to 0.3 µs (test/bench/metrics.ts). Money stays in bigints until it is shown.
 */
import type { Receipt } from '../core/receipt.ts'
import { createHistogram, type Histogram } from '../lib/histogram.ts'
import type { Family } from '../lib/prometheus-text.ts'
import { modelFamilies, platformFamilies } from './request-families.ts'

export interface RequestMetrics {
  note(receipt: Receipt): void
  families(): Family[]
}

export const MOST_PRICED_MODELS = 500
export const MOST_UNPRICED_MODELS = 100

/** Seconds. From a cache hit to a model that thinks for an hour. */
const DURATION_BOUNDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800]
const FIRST_TOKEN_BOUNDS = [0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600]

export interface ModelCounts {
  completed: number
  failed: number
  cancelled: number
  unpriced: number
  input: number
  output: number
  cacheRead: number
  cacheWrite5m: number
  cacheWrite1h: number
  reasoning: number
  listNano: bigint
  chargedNano: bigint
  upstreamNano: bigint
}

export interface PlatformCounts {
  models: Map<string, ModelCounts>
  responses: Map<number, number>
  failures: Map<string, number>
  failovers: number
  firstToken: Histogram
  completed: Histogram
  failed: Histogram
  cancelled: Histogram
}

export function createRequestMetrics(): RequestMetrics {
  const platforms = new Map<string, PlatformCounts>()
  const labelOf = createModelLabels()

  return {
    note(receipt) {
      const counts = platforms.get(receipt.platform) ?? added(platforms, receipt.platform, newPlatform())
      const label = labelOf(receipt)
      addToModel(counts.models.get(label) ?? added(counts.models, label, newModel()), receipt)
      addToPlatform(counts, receipt)
    },
    families: () => [...modelFamilies(platforms), ...platformFamilies(platforms)],
  }
}

function createModelLabels(): (receipt: Receipt) => string {
  const priced = new Set<string>()
  const unpriced = new Set<string>()
  return ({ priceUsed, model, upstreamModel, status }) => {
    if (priceUsed !== null) return kept(priced, priceUsed.model, MOST_PRICED_MODELS)
    if (model === '') return 'none'
    const name = upstreamModel ?? model
    if (unpriced.has(name)) return name
    return status === 'completed' ? kept(unpriced, name, MOST_UNPRICED_MODELS) : OTHER
  }
}

const OTHER = 'other'
const LONGEST_LABEL = 200

function kept(known: Set<string>, name: string, most: number): string {
  if (known.has(name)) return name
  if (known.size >= most || name.length > LONGEST_LABEL) return OTHER
  known.add(name)
  return name
}

function added<K, V>(map: Map<K, V>, key: K, value: V): V {
  map.set(key, value)
  return value
}

function addToModel(counts: ModelCounts, { status, priced, usage, costs }: Receipt): void {
  if (status === 'completed') counts.completed++
  else if (status === 'cancelled') counts.cancelled++
  else counts.failed++
  if (!priced) counts.unpriced++
  counts.input += usage.input
  counts.output += usage.output
  counts.cacheRead += usage.cacheRead
  counts.cacheWrite5m += usage.cacheWrite5m
  counts.cacheWrite1h += usage.cacheWrite1h
  counts.reasoning += usage.reasoning
  // Adding bigints makes new ones: not for nothing.
  if (costs.totalNano === 0n) return
  counts.listNano += costs.totalNano
  counts.chargedNano += costs.chargedNano
  counts.upstreamNano += costs.upstreamNano
}

function addToPlatform(counts: PlatformCounts, receipt: Receipt): void {
  const { status, attempts, firstTokenMs, durationMs, httpStatus } = receipt
  const code = httpStatus ?? 0
  counts.responses.set(code, (counts.responses.get(code) ?? 0) + 1)
  const histogram =
    status === 'completed' ? counts.completed : status === 'cancelled' ? counts.cancelled : counts.failed
  histogram.observe(durationMs / 1000)
  if (firstTokenMs !== null) counts.firstToken.observe(firstTokenMs / 1000)
  if (attempts.length > 1) counts.failovers += attempts.length - 1
  for (const { reason } of attempts) {
    if (reason !== null) counts.failures.set(reason, (counts.failures.get(reason) ?? 0) + 1)
  }
}

function newModel(): ModelCounts {
  return {
    completed: 0,
    failed: 0,
    cancelled: 0,
    unpriced: 0,
    input: 0,
    output: 0,
    cacheRead: 0,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    reasoning: 0,
    listNano: 0n,
    chargedNano: 0n,
    upstreamNano: 0n,
  }
}

function newPlatform(): PlatformCounts {
  return {
    models: new Map(),
    responses: new Map(),
    failures: new Map(),
    failovers: 0,
    firstToken: createHistogram(FIRST_TOKEN_BOUNDS),
    completed: createHistogram(DURATION_BOUNDS),
    failed: createHistogram(DURATION_BOUNDS),
    cancelled: createHistogram(DURATION_BOUNDS),
  }
}
