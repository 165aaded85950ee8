/** Operations as the dialects' tables define them; only what `inspect` looks at matters. */
import type { ProtocolId } from '../../src/core/platform.ts'
import type { Operation } from '../../src/protocols/protocol.ts'

export function operation(protocol: ProtocolId, streaming: Operation['streaming'] = 'body'): Operation {
  return { id: 'under-test', protocol, metered: true, generates: true, streaming, path: '/under-test' }
}

export const encode = (text: string) => new TextEncoder().encode(text)
export const decode = (bytes: Uint8Array) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)

/** The texts of spans, so that a test reads like the body it is about. */
export function cut(body: string | Uint8Array, spans: readonly { start: number; end: number }[]): string[] {
  const bytes = typeof body === 'string' ? encode(body) : body
  return spans.map(({ start, end }) => decode(bytes.subarray(start, end)))
}
