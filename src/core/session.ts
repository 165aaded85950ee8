/**
 * Which conversation a request belongs to (ACC-4), so that it stays with the account whose prompt cache is warm. Headers first, then the
 * body's own word, else a hash of what stays the same within a conversation: model, tools, system prompt, first user message. Pure.
 */

/** First found wins. Lower case. */
const SESSION_HEADERS = [
  'session_id',
  'session-id',
  'x-claude-code-session-id',
  'x-session-id',
  'conversation_id',
] as const

/** Longer than any real session id; keeps a hostile header from being hashed at length. */
const LONGEST_HINT = 512

/** Of each part that stays the same; with its length, conversations that agree in so much share what is cached of it anyway. */
const MOST_HASHED_BYTES = 32_768

export interface SessionInput {
  headers: { get(name: string): string | null }
  /** The body's hint, or null. */
  bodyHint: string | null
  model: string
  body: Uint8Array
  /** The body's parts that stay the same, in order; hashed when nothing better is there. */
  prefix: readonly { start: number; end: number }[]
}

/** Goes on from the hash of what came before; passed in, because hashing is the runtime's. */
export type HashStep = (part: string | Uint8Array, before: bigint) => bigint

/** Null when there is nothing to go by. */
export function sessionHash(input: SessionInput, step: HashStep): string | null {
  const hint = firstHeader(input) ?? input.bodyHint
  if (hint !== null) return step(`hint\n${hint.slice(0, LONGEST_HINT)}`, 0n).toString(16)
  if (input.prefix.length === 0) return null
  let hash = step(`prefix\n${input.model}\n`, 0n)
  for (const { start, end } of input.prefix) {
    const part = input.body.subarray(start, Math.min(end, start + MOST_HASHED_BYTES))
    hash = step(`${end - start}\n`, step(part, hash))
  }
  return hash.toString(16)
}

/** What a session's binding is kept under: the scope in clear before the hash, so that nobody can steer or read somebody else's. */
export function bindingKey({ poolId, keyId }: { poolId: string; keyId: string }, hash: string): string {
  return `${poolId}:${keyId}:${hash}`
}

function firstHeader(input: SessionInput): string | null {
  for (const name of SESSION_HEADERS) {
    const value = input.headers.get(name)?.trim()
    if (value) return value
  }
  return null
}
