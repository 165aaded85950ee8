/**
 * An Anthropic Messages body as Bedrock's `invoke` takes it: without `model` and `stream` (they are in the URL), with `anthropic_version`, and
 * with the betas, which come in a header, in the body. Spliced, so that every other byte stays as the client wrote it (REL-2):
 * 80 µs for 100 kB (Bun 1.4.5).
 * https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html
 */

import { COMMA, OPEN_BRACE, QUOTE } from '../../lib/json-bytes.ts'
import type { Span } from '../../lib/json-read.ts'
import { createJsonScanner, type JsonScan } from '../../lib/json-scan.ts'
import { asArray, parseJson } from '../../lib/json-values.ts'
import { everyValueAt, memberSlot } from '../../protocols/request-body.ts'
import { type Edit, splice } from '../../protocols/splice.ts'

const VERSION = 'bedrock-2023-05-31'

/**
 * Betas that Bedrock knows. It refuses a whole request for one that it does not ("invalid beta flag"), and Claude Code sends several that mean
 * nothing there (claude-code-…, oauth-…, prompt-caching-scope-…), so that only these are taken from the header:
 * the documented ones, and those seen to be accepted in https://github.com/BerriAI/litellm/pull/41203.
 * A client that writes `anthropic_beta` into its body itself speaks to Bedrock knowingly: that passes as it is.
 */
const KNOWN_BETAS: ReadonlySet<string> = new Set([
  'compact-2026-01-12',
  'computer-use-2024-10-22',
  'computer-use-2025-01-24',
  'computer-use-2025-11-24',
  'context-1m-2025-08-07',
  'context-management-2025-06-27',
  'dev-full-thinking-2025-05-14',
  'effort-2025-11-24',
  'interleaved-thinking-2025-05-14',
  'output-128k-2025-02-19',
  'token-efficient-tools-2025-02-19',
  'tool-examples-2025-10-29',
  'tool-search-tool-2025-10-19',
])

const scanner = createJsonScanner({
  model: 'model',
  stream: 'stream',
  version: 'anthropic_version',
  betas: 'anthropic_beta',
  maxTokens: 'max_tokens',
})
type Name = 'model' | 'stream' | 'version' | 'betas' | 'maxTokens'

const NOTHING = new Uint8Array()
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** `betas`: the client's header as it came. The body was found valid before (`inspect`). */
export function toInvokeBody(body: Uint8Array, betas: string | null): Uint8Array {
  return invokeBody(body, betas, [])
}

/** `count-tokens` takes what `invoke` would, which has to have a `max_tokens`; Anthropic's own count has none. */
export function toCountTokensBody(body: Uint8Array, betas: string | null): Uint8Array {
  const invoked = invokeBody(body, betas, ['"max_tokens":1024'])
  return encoder.encode(`{"input":{"invokeModel":{"body":"${Buffer.from(invoked).toString('base64')}"}}}`)
}

function invokeBody(body: Uint8Array, header: string | null, ifUncapped: readonly string[]): Uint8Array {
  const scan = scanner(body)
  if (scan.fault !== null) throw new Error(`a request body that was inspected has the fault: ${scan.fault}`)
  const betas = betasOf(body, scan, header)
  const members = [
    `"anthropic_version":"${VERSION}"`,
    ...(betas.length > 0 ? [`"anthropic_beta":${JSON.stringify(betas)}`] : []),
    ...(scan.found.maxTokens.length === 0 ? ifUncapped : []),
  ]
  const removed = everyValueAt(scan, ['model', 'stream', 'version', 'betas']).map((span) => memberOf(body, span))
  const { insertAt, empty } = memberSlot(body, scan.root)
  // Members lose the comma before them; the first has none, so that with it gone the next one's comma serves.
  const firstGone = removed.some((member) => member.first)
  const text = members.join(',') + (empty || firstGone ? '' : ',')
  const insertion: Edit = { start: insertAt, end: insertAt, bytes: encoder.encode(text) }
  return splice(body, [insertion, ...removed.map(({ start, end }) => ({ start, end, bytes: NOTHING }))])
}

/** The header's that Bedrock knows, after the body's own. */
function betasOf(body: Uint8Array, scan: JsonScan<Name>, header: string | null): string[] {
  const own = scan.found.betas.flatMap(({ start, end }) =>
    asArray(parseJson(decoder.decode(body.subarray(start, end)))).filter((beta) => typeof beta === 'string'),
  )
  const asked = (header ?? '').split(',').map((beta) => beta.trim())
  return [...new Set([...own, ...asked.filter((beta) => KNOWN_BETAS.has(beta))])]
}

/** The member that a top-level value belongs to: from the comma before its key, or from the key of the first one. */
function memberOf(body: Uint8Array, value: Span): Span & { first: boolean } {
  // Backwards over the colon to the key. The keys that are looked for hold no quote, however they are escaped.
  const keyEnd = body.lastIndexOf(QUOTE, value.start - 1)
  let start = body.lastIndexOf(QUOTE, keyEnd - 1)
  let before = start - 1
  while (body[before] !== COMMA && body[before] !== OPEN_BRACE) before--
  const first = body[before] === OPEN_BRACE
  if (!first) start = before
  return { start, end: value.end, first }
}
