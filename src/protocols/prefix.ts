/**
 * Finds what stays the same while a conversation grows: the system prompt and the first user message (ACC-4). The hash of
 * those bytes is the session key of clients that send none, so that their prompt caches stay warm.
 *
 * Of a message only its texts count: clients that use prompt caches move the `cache_control` marks beside the texts
 * forward with every turn, and a key that changed with them would miss exactly for those clients.
 */
import { isString, jsonKind, type Span } from '../lib/json-read.ts'
import { createJsonScanner } from '../lib/json-scan.ts'

/** Gemini says `parts`, the others `content`. */
const scanParts = createJsonScanner({ content: 'content[<16].text', parts: 'parts[<16].text' })

export interface Opening {
  /** What comes before all messages: tools, a system prompt of its own. */
  before: readonly (readonly Span[])[]
  /** The first messages, in order; 32 are plenty to find the first of the user's among. */
  messages: readonly Span[]
  /** Their roles and contents, as far as they have one. */
  roles: readonly Span[]
  contents: readonly Span[]
  /** Roles of messages that belong to the system prompt. */
  system: readonly string[]
  /** The role of a message without one. */
  otherwise: 'user' | null
}

/** What comes before the messages, the texts of system messages up to the first user message, and of that one. */
export function openingSpans(body: Uint8Array, opening: Opening): Span[] {
  const spans: Span[] = []
  for (const found of opening.before) spans.push(...found)
  for (const message of opening.messages) {
    const role = within(message, opening.roles)
    const isUser = role === null ? opening.otherwise === 'user' : isString(body, role, 'user')
    if (isUser || (role !== null && isOneOf(body, role, opening.system))) {
      const content = within(message, opening.contents)
      if (content !== null && jsonKind(body, content) === 'string') spans.push(content)
      else spans.push(...partTexts(body, message))
    }
    if (isUser) break
  }
  return spans
}

function within(message: Span, spans: readonly Span[]): Span | null {
  for (const span of spans) if (span.start > message.start && span.end <= message.end) return span
  return null
}

function isOneOf(body: Uint8Array, span: Span, texts: readonly string[]): boolean {
  for (const text of texts) if (isString(body, span, text)) return true
  return false
}

/** The message itself if it has no text: an image, or a shape unknown here. */
function partTexts(body: Uint8Array, message: Span): Span[] {
  const { found } = scanParts(body.subarray(message.start, message.end))
  const texts = [...found.content, ...found.parts]
  if (texts.length === 0) return [message]
  return texts.map(({ start, end }) => ({ start: start + message.start, end: end + message.start }))
}
