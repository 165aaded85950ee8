/**
 * Finds what a request body says about the session it belongs to (ACC-4), for sticky sessions. Headers come before it,
 * a hash of `prefixSpans` after it; both are the relay's business. The hint is the client's word and is not yet scoped.
 */
import { readString, type Span } from '../lib/json-read.ts'
import type { JsonScan } from '../lib/json-scan.ts'

/** To be spread into a dialect's scanner. */
export const SESSION_PATHS = {
  promptCacheKey: 'prompt_cache_key',
  userId: 'metadata.user_id',
  conversationId: 'conversation_id',
  // Responses: `"conversation": "conv_…"` or `{"id": "conv_…"}`
  conversation: 'conversation',
  conversationObject: 'conversation.id',
} as const

export type SessionField = keyof typeof SESSION_PATHS

/** Before 2.1.78 Claude Code joined its ids like this; the account may be empty. */
const JOINED_IDS = /^user_[0-9a-f]{64}_account_.*?_session_([0-9a-f-]+)$/i
/** Far longer than either form; what is longer is not worth parsing. */
const MAX_USER_ID_CHARACTERS = 2048

/** The first of ACC-4's body fields that holds a session, or null. */
export function sessionHint(body: Uint8Array, scan: JsonScan<SessionField>): string | null {
  const { promptCacheKey, userId, conversationId, conversation, conversationObject } = scan.found
  return (
    lastText(body, promptCacheKey) ??
    sessionOfUserId(lastText(body, userId)) ??
    lastText(body, conversationId) ??
    lastText(body, conversation) ??
    lastText(body, conversationObject)
  )
}

function lastText(body: Uint8Array, spans: readonly Span[]): string | null {
  const span = spans.at(-1)
  return (span && readString(body, span)) || null
}

/**
 * Claude Code's `metadata.user_id`: "user_<hash>_account_<uuid>_session_<uuid>", or a JSON string
 * `{"device_id","account_uuid","session_id"}`. Other clients put an end user's id there, which is no session.
 */
function sessionOfUserId(userId: string | null): string | null {
  if (userId === null || userId.length > MAX_USER_ID_CHARACTERS) return null
  if (!userId.startsWith('{')) return JOINED_IDS.exec(userId)?.[1] ?? null
  try {
    const { session_id: session } = JSON.parse(userId) as { session_id?: unknown }
    return typeof session === 'string' && session !== '' ? session : null
  } catch {
    return null
  }
}
