/**
 * Reads a Messages request, or a count_tokens one, off its bytes (REL-1).
 * https://docs.anthropic.com/en/api/messages
 */
import { type Denial, isDenial } from '../../core/denial.ts'
import { createJsonScanner, type JsonScan } from '../../lib/json-scan.ts'
import { openingSpans } from '../prefix.ts'
import type { Inspected, Operation } from '../protocol.ts'
import { readCap, readCommon, scanBody } from '../request-body.ts'
import { SESSION_PATHS } from '../session-hint.ts'

const PATHS = {
  ...SESSION_PATHS,
  model: 'model',
  stream: 'stream',
  maxTokens: 'max_tokens',
  tools: 'tools',
  system: 'system',
  messages: 'messages[<32]',
  roles: 'messages[<32].role',
  contents: 'messages[<32].content',
} as const

const CAPS = ['maxTokens'] as const

const scanner = createJsonScanner(PATHS)

export function inspectAnthropic(operation: Operation, body: Uint8Array): Inspected | Denial {
  const scan = scanBody(scanner, body)
  if (isDenial(scan)) return scan
  const facts = readCommon(operation, body, scan)
  if (isDenial(facts)) return facts
  facts.maxOutputTokens = readCap(body, scan, CAPS)
  if (facts.sessionHint === null) facts.prefixSpans = prefixSpans(body, scan)
  return facts
}

/** Claude Code puts `role: "system"` reminders among the messages; they come and go, so they identify nothing. */
function prefixSpans(body: Uint8Array, scan: JsonScan<keyof typeof PATHS>) {
  const { tools, system, messages, roles, contents } = scan.found
  return openingSpans(body, { before: [tools, system], messages, roles, contents, system: [], otherwise: null })
}
