/**
 * Reads a Gemini request (generateContent, streamGenerateContent, countTokens, embedContent, batchEmbedContents) off its
 * path and bytes (REL-1). The path names model and verb; the body may name the model again, as "models/NAME".
 *
 * The API reads protobuf JSON, which takes every field in camelCase and in its original snake_case.
 * https://ai.google.dev/api/generate-content · https://protobuf.dev/programming-guides/json/
 */
import { type Denial, deny, isDenial } from '../../core/denial.ts'
import { createJsonScanner, type JsonScan } from '../../lib/json-scan.ts'
import { openingSpans } from '../prefix.ts'
import type { Framing, Inspected, Operation, RequestTarget } from '../protocol.ts'
import { everyValueAt, memberSlot, readCap, readChoices, scanBody } from '../request-body.ts'
import { SESSION_PATHS, sessionHint } from '../session-hint.ts'

const MODEL_PATHS = {
  model: 'model',
  batchModel: 'requests[].model',
  countedModel: 'generateContentRequest.model',
  countedModelSnake: 'generate_content_request.model',
} as const

const PATHS = {
  ...SESSION_PATHS,
  ...MODEL_PATHS,
  cap: 'generationConfig.maxOutputTokens',
  capSnake: 'generation_config.max_output_tokens',
  capMixed: 'generationConfig.max_output_tokens',
  capMixedToo: 'generation_config.maxOutputTokens',
  choices: 'generationConfig.candidateCount',
  choicesSnake: 'generation_config.candidate_count',
  choicesMixed: 'generationConfig.candidate_count',
  choicesMixedToo: 'generation_config.candidateCount',
  tools: 'tools',
  system: 'systemInstruction',
  systemSnake: 'system_instruction',
  contents: 'contents[<32]',
  roles: 'contents[<32].role',
} as const

const CAPS = ['cap', 'capSnake', 'capMixed', 'capMixedToo'] as const
const CHOICES = ['choices', 'choicesSnake', 'choicesMixed', 'choicesMixedToo'] as const
const MODELS = Object.keys(MODEL_PATHS) as (keyof typeof MODEL_PATHS)[]

const scanner = createJsonScanner(PATHS)

export function inspectGemini(_operation: Operation, body: Uint8Array, target: RequestTarget): Inspected | Denial {
  const path = readPath(target.pathname)
  if (isDenial(path)) return path
  const scan = scanBody(scanner, body)
  if (isDenial(scan)) return scan
  const stream = path.verb === 'streamGenerateContent'
  const hint = sessionHint(body, scan)
  const { insertAt, empty } = memberSlot(body, scan.root)
  return {
    model: path.model,
    modelSpans: everyValueAt(scan, MODELS),
    stream,
    framing: stream ? streamFraming(target) : 'json',
    maxOutputTokens: readCap(body, scan, CAPS),
    choices: readChoices(body, scan, CHOICES),
    sessionHint: hint,
    prefixSpans: hint === null ? prefixSpans(body, scan) : [],
    storeSpan: null,
    usageOption: null,
    insertAt,
    empty,
  }
}

/** "/v1beta/models/gemini-2.5-pro:generateContent". Decoded before it is cut: some clients encode the colon. */
function readPath(pathname: string): { model: string; verb: string } | Denial {
  let path: string
  try {
    path = decodeURIComponent(pathname)
  } catch {
    return deny('invalid_request', 'The path is not valid percent-encoded UTF-8.')
  }
  const [, model, verb] = /\/models\/(.*):([^:/]*)$/s.exec(path) ?? []
  if (verb === undefined || model === undefined || model.trim() === '') {
    return deny('missing_model', 'The path names no model: /v1beta/models/{model}:{method} is expected.')
  }
  return { model: model.replace(/^models\//, ''), verb }
}

/** Without `alt=sse` a stream is one JSON array. */
function streamFraming({ search }: RequestTarget): Framing {
  return new URLSearchParams(search).getAll('alt').at(-1) === 'sse' ? 'sse' : 'json-array'
}

/** A content without a role is the user's. */
function prefixSpans(body: Uint8Array, scan: JsonScan<keyof typeof PATHS>) {
  const { tools, system, systemSnake, contents, roles } = scan.found
  return openingSpans(body, {
    before: [tools, system, systemSnake],
    messages: contents,
    roles,
    contents: [],
    system: [],
    otherwise: 'user',
  })
}
