/**
 * Reads a Responses request, or a compaction of one, off its bytes (REL-1).
 * https://platform.openai.com/docs/api-reference/responses/create
 */
import { type Denial, isDenial } from '../../core/denial.ts'
import { jsonKind } from '../../lib/json-read.ts'
import { createJsonScanner, type JsonScan } from '../../lib/json-scan.ts'
import { openingSpans } from '../prefix.ts'
import type { Inspected, Operation } from '../protocol.ts'
import { readCap, readCommon, scanBody, valueAt } from '../request-body.ts'
import { SESSION_PATHS } from '../session-hint.ts'

const PATHS = {
  ...SESSION_PATHS,
  model: 'model',
  stream: 'stream',
  store: 'store',
  maxOutputTokens: 'max_output_tokens',
  tools: 'tools',
  instructions: 'instructions',
  input: 'input',
  items: 'input[<32]',
  roles: 'input[<32].role',
  contents: 'input[<32].content',
} as const

const CAPS = ['maxOutputTokens'] as const
const SYSTEM = ['system', 'developer'] as const

const scanner = createJsonScanner(PATHS)

export function inspectOpenaiResponses(operation: Operation, body: Uint8Array): Inspected | Denial {
  const scan = scanBody(scanner, body)
  if (isDenial(scan)) return scan
  const facts = readCommon(operation, body, scan)
  if (isDenial(facts)) return facts
  facts.maxOutputTokens = readCap(body, scan, CAPS)
  facts.storeSpan = valueAt(scan, 'store')
  if (facts.sessionHint === null) facts.prefixSpans = prefixSpans(body, scan)
  return facts
}

/** `input` is a string or items; Codex sends its system prompt as developer items, not as `instructions`. */
function prefixSpans(body: Uint8Array, scan: JsonScan<keyof typeof PATHS>) {
  const { tools, instructions, input, items, roles, contents } = scan.found
  const text = input.filter((span) => jsonKind(body, span) === 'string')
  return openingSpans(body, {
    before: [tools, instructions, text],
    messages: items,
    roles,
    contents,
    system: SYSTEM,
    otherwise: null,
  })
}
