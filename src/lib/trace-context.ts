/** W3C trace context (https://www.w3.org/TR/trace-context/#traceparent-header): the caller's place in a trace, from its `traceparent`. */
export interface TraceContext {
  /** 32 hex digits. */
  traceId: string
  /** 16 hex digits: the caller's span. */
  spanId: string
  sampled: boolean
}

/** Later versions may be longer but begin the same. Ids of zeros only are invalid. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/

export function parseTraceparent(header: string | null): TraceContext | null {
  const match = header === null ? null : TRACEPARENT.exec(header.trim())
  if (!match) return null
  const [, traceId = '', spanId = '', flags = ''] = match
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}
