/**
 * A finished request as spans (OPS-7): one for the request, one below it for each try at an account.
 *
 * Attributes carry OpenTelemetry's names where it has any (https://opentelemetry.io/docs/specs/semconv/gen-ai/). Nothing that a person
 * wrote is among them: no body, no e-mail, no error text, no query.
 * Without a caller's trace the trace id is the request id's digits: whoever has one can look for the other.
 */
import { toUsd } from '../core/money.ts'
import type { Platform } from '../core/platform.ts'
import type { Receipt } from '../core/receipt.ts'
import { contextTokens } from '../core/usage.ts'
import type { Span } from '../lib/span-exporter.ts'
import { parseTraceparent } from '../lib/trace-context.ts'
import type { Exchange } from './exchange.ts'

const PROVIDER_NAMES: Readonly<Record<Platform, string>> = {
  openai: 'openai',
  anthropic: 'anthropic',
  gemini: 'gcp.gemini',
  bedrock: 'aws.bedrock',
}

type Traced = Pick<Exchange, 'call' | 'startedAt' | 'attemptStartedAt'>

/** None, when the caller's trace is not being recorded. `newSpanId`: 16 hex digits. */
export function toSpans(receipt: Receipt, exchange: Traced, newSpanId: () => string): Span[] {
  const { request, operation } = exchange.call
  const parent = parseTraceparent(request.headers.get('traceparent'))
  if (parent && !parent.sampled) return []
  const traceId = parent?.traceId ?? receipt.id.replaceAll('-', '')
  const spanId = newSpanId()
  const common = { traceId, startMs: receipt.createdAtMs, endMs: receipt.createdAtMs + receipt.durationMs }
  const root: Span = {
    ...common,
    spanId,
    parentSpanId: parent?.spanId ?? null,
    name: operation.id,
    kind: 'server',
    attributes: requestAttributes(receipt, request.method),
    failed: receipt.status === 'failed',
  }
  const tries = receipt.attempts.map((_, index): Span => {
    const ids = { traceId, spanId: newSpanId(), parentSpanId: spanId }
    return { ...ids, ...attemptFacts(receipt, exchange, index) }
  })
  return [root, ...tries]
}

function requestAttributes(receipt: Receipt, method: string): Span['attributes'] {
  const { usage, attempts } = receipt
  return {
    'http.request.method': method,
    'url.path': receipt.endpoint,
    'http.response.status_code': receipt.httpStatus,
    'error.type': receipt.errorCode,
    'gen_ai.provider.name': PROVIDER_NAMES[receipt.platform as Platform],
    'gen_ai.request.model': receipt.model || null,
    'gen_ai.response.model': receipt.upstreamModel,
    'gen_ai.usage.input_tokens': contextTokens(usage),
    'gen_ai.usage.output_tokens': usage.output,
    'turnpike.request_id': receipt.id,
    'turnpike.status': receipt.status,
    'turnpike.stream': receipt.stream,
    'turnpike.attempts': attempts.length,
    'turnpike.first_token_ms': receipt.firstTokenMs,
    'turnpike.cost_usd': toUsd(receipt.costs.totalNano),
    'turnpike.key_id': receipt.keyId,
    'turnpike.account_id': receipt.accountId,
    'turnpike.group_id': receipt.groupId,
  }
}

/** The one that served lasts as long as the request: its own duration ends with the head of the answer. */
function attemptFacts(receipt: Receipt, exchange: Traced, index: number) {
  const attempt = receipt.attempts[index]!
  const startMs = receipt.createdAtMs + (exchange.attemptStartedAt[index] ?? exchange.startedAt) - exchange.startedAt
  const served = attempt.reason === null && index === receipt.attempts.length - 1
  return {
    name: `${exchange.call.operation.id} attempt`,
    kind: 'client' as const,
    startMs,
    endMs: served ? Math.max(startMs, receipt.createdAtMs + receipt.durationMs) : startMs + attempt.durationMs,
    attributes: {
      'http.response.status_code': attempt.status,
      'error.type': attempt.reason,
      'gen_ai.provider.name': PROVIDER_NAMES[receipt.platform as Platform],
      'turnpike.account_id': attempt.accountId,
      'turnpike.head_ms': attempt.durationMs,
      'turnpike.upstream_request_id': attempt.upstreamRequestId,
    },
    failed: attempt.reason !== null,
  }
}
