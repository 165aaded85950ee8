/**
 * What is told to the outside about the process (OPS-7): Prometheus metrics and, with OTEL_EXPORTER_OTLP_ENDPOINT, traces.
 *
 * Requests come as Receipts (one record out); everything else is a gauge that is read when somebody asks. A part that has something to show
 * adds it in one line: `telemetry.gauge('turnpike_journal_bytes', 'Bytes of …', () => journal.bytes)`.
 */
import type { Config } from '../config.ts'
import type { Receipt } from '../core/receipt.ts'
import { systemClock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { createLoopDelay } from '../lib/loop-delay.ts'
import { type Family, renderPrometheus, type Sample } from '../lib/prometheus-text.ts'
import { createSpanExporter, type SpanExporter } from '../lib/span-exporter.ts'
import type { Stack } from '../lib/stack.ts'
import type { Exchange } from '../relay/exchange.ts'
import { toSpans } from '../relay/trace.ts'
import { createRequestMetrics } from '../state/request-metrics.ts'
import { VERSION } from '../version.ts'
import { processFamilies } from './process-metrics.ts'

export interface Telemetry {
  /** A request has ended. */
  note(receipt: Receipt, exchange: Exchange): void
  noteCooldown(cause: string): void
  /** A client was turned away for its key; the denial's code. */
  noteRefusedKey(code: string): void
  noteRefusedAdmin(): void
  /** Read at each scrape. Null: there is none at the moment. Labels, when there are samples. */
  gauge(name: string, help: string, read: () => number | null | readonly Sample[]): void
  /** The same of what only grows; its name ends in `_total`. */
  counter(name: string, help: string, read: () => number): void
  /** The text of `/metrics`. */
  render(): string
}

export async function openTelemetry(config: Config, log: Log, stack: Stack): Promise<Telemetry> {
  const requests = createRequestMetrics()
  const cooldowns = createCounts('turnpike_cooldowns_total', 'Accounts taken out, by cause.', 'cause')
  const keys = createCounts('turnpike_refused_keys_total', 'Requests turned away for their API key, by code.', 'code')
  const tokens = createCounts('turnpike_refused_admin_tokens_total', 'Calls with a wrong admin token.', null)
  const gauges: (() => Family)[] = []
  const delay = await stack.use(
    'event loop sampler',
    () => createLoopDelay({ nowMs: () => performance.now() }),
    (opened) => opened.stop(),
  )
  const exporter = await openExporter(config, log, stack)
  const note = (receipt: Receipt) => requests.note(receipt)
  return {
    note: exporter === null ? note : withTraces(note, exporter),
    noteCooldown: cooldowns.add,
    noteRefusedKey: keys.add,
    noteRefusedAdmin: () => tokens.add(''),
    gauge(name, help, read) {
      gauges.push(() => ({ name, help, type: 'gauge', samples: toSamples(read()) }))
    },
    counter(name, help, read) {
      gauges.push(() => ({ name, help, type: 'counter', samples: [{ value: read() }] }))
    },
    render: () =>
      renderPrometheus([
        ...requests.families(),
        ...[cooldowns, keys, tokens].map((counts) => counts.family()),
        ...gauges.map((read) => read()),
        ...(exporter === null ? [] : traceFamilies(exporter)),
        ...processFamilies(delay, VERSION),
      ]),
  }
}

function toSamples(value: number | null | readonly Sample[]): readonly Sample[] {
  if (value === null) return []
  return typeof value === 'number' ? [{ value }] : value
}

/** Counts by one label, from a closed set of words. */
function createCounts(name: string, help: string, label: string | null) {
  const counts = new Map<string, number>()
  return {
    add: (word: string) => void counts.set(word, (counts.get(word) ?? 0) + 1),
    family(): Family {
      const samples = [...counts].map(([word, value]) => ({ ...(label ? { labels: { [label]: word } } : {}), value }))
      return { name, help, type: 'counter', samples: label || samples.length > 0 ? samples : [{ value: 0 }] }
    },
  }
}

function withTraces(note: (receipt: Receipt) => void, exporter: SpanExporter): Telemetry['note'] {
  return (receipt, exchange) => {
    note(receipt)
    for (const span of toSpans(receipt, exchange, newSpanId)) exporter.add(span)
  }
}

function newSpanId(): string {
  return crypto.getRandomValues(Buffer.alloc(8)).toString('hex')
}

async function openExporter(config: Config, log: Log, stack: Stack): Promise<SpanExporter | null> {
  const { otelExporterOtlpEndpoint: endpoint, otelExporterOtlpHeaders: headers } = config
  if (endpoint === null) return null
  const start = () =>
    createSpanExporter({
      endpoint,
      headers: readHeaders(headers ?? ''),
      resource: { 'service.name': 'turnpike', 'service.version': VERSION },
      nowMs: systemClock.nowMs,
      onFailure: (error) => log.warn('traces could not be sent; they are kept for a while', { error }),
    })
  return stack.use('traces', start, (opened) => opened.stop())
}

/** Values are percent-encoded, as OpenTelemetry has it. */
function readHeaders(text: string): Record<string, string> {
  const pairs = text.split(',').map((pair) => {
    const at = pair.indexOf('=')
    return [pair.slice(0, at).trim(), decoded(pair.slice(at + 1).trim())] as const
  })
  return Object.fromEntries(pairs.filter(([name]) => name !== ''))
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function traceFamilies(exporter: SpanExporter): Family[] {
  const family = (name: string, type: Family['type'], help: string, value: number): Family => ({
    name,
    type,
    help,
    samples: [{ value }],
  })
  return [
    family('turnpike_spans_sent_total', 'counter', 'Spans that the collector has taken.', exporter.sent),
    family(
      'turnpike_spans_dropped_total',
      'counter',
      'Spans dropped because the collector was away.',
      exporter.dropped,
    ),
    family('turnpike_spans_waiting', 'gauge', 'Spans that are not sent yet.', exporter.waiting),
  ]
}
