/**
 * Reads a Chat Completions, embeddings or legacy completions request off its bytes (REL-1).
 * https://platform.openai.com/docs/api-reference/chat/create
 */
import { type Denial, deny, isDenial } from '../../core/denial.ts'
import { jsonKind, readBoolean } from '../../lib/json-read.ts'
import { createJsonScanner, type JsonScan } from '../../lib/json-scan.ts'
import { openingSpans } from '../prefix.ts'
import type { Inspected, Operation } from '../protocol.ts'
import { readCap, readChoices, readCommon, scanBody, valueAt } from '../request-body.ts'
import { SESSION_PATHS } from '../session-hint.ts'

const PATHS = {
  ...SESSION_PATHS,
  model: 'model',
  stream: 'stream',
  streamOptions: 'stream_options',
  includeUsage: 'stream_options.include_usage',
  maxTokens: 'max_tokens',
  maxCompletionTokens: 'max_completion_tokens',
  choices: 'n',
  drafts: 'best_of',
  tools: 'tools',
  functions: 'functions',
  messages: 'messages[<32]',
  roles: 'messages[<32].role',
  contents: 'messages[<32].content',
} as const

const CAPS = ['maxTokens', 'maxCompletionTokens'] as const
const CHOICES = ['choices', 'drafts'] as const
const SYSTEM = ['system', 'developer'] as const

const scanner = createJsonScanner(PATHS)

export function inspectOpenaiChat(operation: Operation, body: Uint8Array): Inspected | Denial {
  const scan = scanBody(scanner, body)
  if (isDenial(scan)) return scan
  const facts = readCommon(operation, body, scan)
  if (isDenial(facts)) return facts
  const usageOption = facts.stream ? readUsageOption(body, scan) : null
  if (usageOption !== null && isDenial(usageOption)) return usageOption
  facts.usageOption = usageOption
  facts.maxOutputTokens = readCap(body, scan, CAPS)
  facts.choices = readChoices(body, scan, CHOICES)
  if (facts.sessionHint === null) facts.prefixSpans = prefixSpans(body, scan)
  return facts
}

type Scan = JsonScan<keyof typeof PATHS>

/** A `stream_options` of a wrong type is refused here: asking for usage would have to overwrite it unseen. */
function readUsageOption(body: Uint8Array, scan: Scan): Inspected['usageOption'] | Denial {
  const span = valueAt(scan, 'streamOptions')
  if (span === null) return { kind: 'absent' }
  const kind = jsonKind(body, span)
  if (kind !== 'object' && kind !== 'null') return deny('invalid_request', "'stream_options' must be an object.")
  const includeUsageSpan = valueAt(scan, 'includeUsage')
  if (includeUsageSpan === null) return { kind: 'object', span, includeUsageSpan }
  return readBoolean(body, includeUsageSpan) === true ? null : { kind: 'object', span, includeUsageSpan }
}

function prefixSpans(body: Uint8Array, scan: Scan) {
  const { tools, functions, messages, roles, contents } = scan.found
  return openingSpans(body, {
    before: [tools, functions],
    messages,
    roles,
    contents,
    system: SYSTEM,
    otherwise: null,
  })
}
