/**
 * Finds what stays the same while a conversation grows: the system prompt and the first user message (ACC-4). The hash of
 * those bytes is the session key of clients that send none, so that their prompt caches stay warm.
 *
 * Of a message only its texts count: clients that use prompt caches move the `cache_control` marks beside the texts
 * forward with every turn, and a key that changed with them would miss exactly for those clients.
 */
import { jsonKind, readString, type Span } from '../lib/json-read.ts'
import { createJsonScanner } from '../lib/json-scan.ts'

/** Chat, Responses and Anthropic say `content`, a string or parts; Gemini says `parts`. */
const scanMessage = createJsonScanner({
  content: 'content',
  contentText: 'content[<16].text',
  partText: 'parts[<16].text',
})

export interface Opening {
  /** The first messages, in order; 32 are plenty to find the first of the user's among. */
  messages: readonly Span[]
  /** Their roles, as far as they have one. */
  roles: readonly Span[]
  /** Roles of messages that belong to the system prompt. */
  system: readonly string[]
  /** The role of a message without one. */
  otherwise: 'user' | null
}

/** The texts of system messages up to the first user message, and of that one. */
export function openingSpans(body: Uint8Array, opening: Opening): Span[] {
  const spans: Span[] = []
  for (const message of opening.messages) {
    const inside = opening.roles.findLast((span) => span.start > message.start && span.end <= message.end)
    const role = inside === undefined ? opening.otherwise : readString(body, inside)
    if (role === 'user' || (role !== null && opening.system.includes(role))) spans.push(...textSpans(body, message))
    if (role === 'user') break
  }
  return spans
}

/** The message itself if it has no text: an image, or a shape unknown here. */
function textSpans(body: Uint8Array, message: Span): Span[] {
  const bytes = body.subarray(message.start, message.end)
  const { found } = scanMessage(bytes)
  const whole = found.content.filter((span) => jsonKind(bytes, span) === 'string')
  const texts = [...whole, ...found.contentText, ...found.partText]
  if (texts.length === 0) return [message]
  return texts.map(({ start, end }) => ({ start: start + message.start, end: end + message.start }))
}
