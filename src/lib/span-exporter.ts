/**
 * Sends spans to an OpenTelemetry collector over OTLP/HTTP as JSON (https://opentelemetry.io/docs/specs/otlp/#otlphttp).
 *
 * Why not the official packages: SDK and exporter are 25 packages for a format that is one function, and their batch processor hooks
 * into async context, which costs every request something even where nothing is traced.
 * If it fails: spans are kept and sent again after a growing pause, up to `mostWaiting`; beyond, new ones are dropped and counted. Nothing
 * waits for it, and nothing is told but `onFailure`, once for each outage.
 */
export interface Span {
  traceId: string
  spanId: string
  parentSpanId: string | null
  name: string
  kind: 'server' | 'client'
  /** Epoch ms, with fractions. */
  startMs: number
  endMs: number
  /** Null and undefined are left out. */
  attributes: Readonly<Record<string, string | number | boolean | null | undefined>>
  failed: boolean
}

export interface SpanExporter {
  add(span: Span): void
  /** Sends what waits, unless a pause after a failure runs. */
  flush(): Promise<void>
  /** One last flush; no timer afterwards. */
  stop(): Promise<void>
  readonly waiting: number
  readonly dropped: number
  readonly sent: number
}

export interface SpanExporterOptions {
  /** Base URL as in OTEL_EXPORTER_OTLP_ENDPOINT: `/v1/traces` is put behind it. */
  endpoint: string
  headers: Readonly<Record<string, string>>
  /** Of this process: service.name, service.version … */
  resource: Readonly<Record<string, string>>
  mostWaiting?: number
  mostPerPost?: number
  /** 0: no timer, the owner calls `flush`. */
  everyMs?: number
  timeoutMs?: number
  nowMs: () => number
  onFailure?: (error: unknown) => void
}

const FIRST_PAUSE_MS = 5_000
const LONGEST_PAUSE_MS = 60_000

export function createSpanExporter(options: SpanExporterOptions): SpanExporter {
  const { mostWaiting = 4096, mostPerPost = 512, everyMs = 1000, nowMs, onFailure = () => {} } = options
  let waiting: Span[] = []
  let sending: Promise<void> | null = null
  let pauseMs = 0
  let resumeAtMs = 0
  let dropped = 0
  let sent = 0
  const timer = everyMs === 0 ? null : setInterval(() => void flush(), everyMs)
  timer?.unref()

  async function sendOnce(): Promise<void> {
    const spans = waiting.slice(0, mostPerPost)
    try {
      await post(options, spans)
      waiting = waiting.slice(spans.length)
      sent += spans.length
      pauseMs = 0
    } catch (error) {
      if (pauseMs === 0) onFailure(error)
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs === 0 ? FIRST_PAUSE_MS : pauseMs * 2)
      resumeAtMs = nowMs() + pauseMs
    }
  }

  async function sendAll(): Promise<void> {
    while (waiting.length > 0 && (pauseMs === 0 || nowMs() >= resumeAtMs)) {
      await sendOnce()
      if (pauseMs > 0) return
    }
  }

  function flush(): Promise<void> {
    sending ??= sendAll().finally(() => {
      sending = null
    })
    return sending
  }

  return {
    add(span) {
      if (waiting.length >= mostWaiting) {
        dropped++
        return
      }
      waiting.push(span)
      if (waiting.length === mostPerPost) void flush()
    },
    flush,
    async stop() {
      if (timer) clearInterval(timer)
      await sending
      pauseMs = 0
      await flush()
    },
    get waiting() {
      return waiting.length
    },
    get dropped() {
      return dropped
    },
    get sent() {
      return sent
    },
  }
}

const POST_TIMEOUT_MS = 10_000
const SCOPE = { name: 'turnpike' }

async function post(options: SpanExporterOptions, spans: readonly Span[]): Promise<void> {
  const { endpoint, headers, resource, timeoutMs = POST_TIMEOUT_MS } = options
  const response = await fetch(`${endpoint.replace(/\/+$/, '')}/v1/traces`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({
      resourceSpans: [
        {
          resource: { attributes: toAttributes(resource) },
          scopeSpans: [{ scope: SCOPE, spans: spans.map(toOtlp) }],
        },
      ],
    }),
    redirect: 'manual',
    signal: AbortSignal.timeout(timeoutMs),
  })
  await response.arrayBuffer()
  // 400 says that these spans will never be taken: sending them again would stop all that follow.
  if (!response.ok && response.status !== 400) throw new Error(`the collector answered ${response.status}`)
}

const KINDS = { server: 2, client: 3 } as const
const STATUS_ERROR = 2

function toOtlp(span: Span): object {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.parentSpanId === null ? {} : { parentSpanId: span.parentSpanId }),
    name: span.name,
    kind: KINDS[span.kind],
    startTimeUnixNano: toNanoText(span.startMs),
    endTimeUnixNano: toNanoText(span.endMs),
    attributes: toAttributes(span.attributes),
    status: span.failed ? { code: STATUS_ERROR } : {},
  }
}

/** 64-bit numbers are text in OTLP's JSON; microseconds are as fine as the clock is. */
function toNanoText(ms: number): string {
  return `${Math.round(ms * 1000)}000`
}

function toAttributes(values: Span['attributes']): object[] {
  return Object.entries(values).flatMap(([key, value]) =>
    value === null || value === undefined ? [] : [{ key, value: toAnyValue(value) }],
  )
}

function toAnyValue(value: string | number | boolean): object {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value }
}
