/**
 * Takes secrets out of anything that is about to be written down: by the name of a field, and by the look of a text.
 *
 * Knows the usual names and shapes of credentials; knows nothing of who uses them.
 * Invariants: never throws, whatever it is given (cycles, getters that throw, huge texts); bounded in depth and length.
 */

const HIDDEN = '[redacted]'
const MAX_DEPTH = 6
const MAX_ITEMS = 100
const MAX_TEXT = 4000

/** Compared without case, `-` and `_`. Exact, so that `inputTokens` and `keyId` stay readable. */
const SECRET_NAMES = new Set(
  `authorization proxyauthorization cookie setcookie password passwd passphrase secret clientsecret token accesstoken refreshtoken
  idtoken admintoken sessiontoken awssessiontoken apikey xapikey xgoogapikey key privatekey encryptionkey secretkey secretaccesskey
  awssecretaccesskey awsaccesskeyid accesskeyid pepper credentials credential body requestbody responsebody email mail useremail
  databaseurl redisurl proxyurl codeverifier`.split(/\s+/),
)

/**
 * Vendors' key prefixes, JWTs, bearer values, cloud keys, credentials and `key=` in URLs, e-mail addresses, long hex.
 * Each is linear: no nested quantifiers.
 */
const SECRET_TEXTS: readonly [RegExp, string][] = [
  [/\b([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/@]{1,512}@/gi, `$1${HIDDEN}@`],
  [/\b(bearer|basic)\s+[\w.~+/=-]{6,}/gi, `$1 ${HIDDEN}`],
  [/([?&](?:key|api_key|token|access_token|refresh_token|code|secret)=)[^&\s"']+/gi, `$1${HIDDEN}`],
  [/\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?/g, HIDDEN],
  [/\b(?:sk|rk|pk|tp|cr|xai|gsk|hf|r8|pplx|ya29|ghp|gho|github_pat)[-_.][\w.-]{12,}/g, HIDDEN],
  [/\bAIza[\w-]{20,}/g, HIDDEN],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{12,}/g, HIDDEN],
  [/\b[\w-]{0,20}[0-9a-f]{40,}\b/gi, HIDDEN],
  [/[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+/g, HIDDEN],
]

export function redactText(text: string): string {
  let clean = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text
  for (const [pattern, replacement] of SECRET_TEXTS) clean = clean.replace(pattern, replacement)
  return clean
}

/** What is shorter stands in ordinary words. */
const SHORTEST_SECRET = 6

/** By value: for texts in which known secrets may stand that don't look like any. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  let clean = text
  for (const secret of secrets) if (secret.length >= SHORTEST_SECRET) clean = clean.replaceAll(secret, HIDDEN)
  return clean
}

/** A copy fit for JSON: secrets hidden, bigints as text, errors with their stack and causes, too deep or too long cut. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'function' || typeof value === 'symbol') return undefined
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Error) return redactError(value, depth)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (depth >= MAX_DEPTH) return '[deep]'
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => redact(item, depth + 1))
  return redactFields(value, depth)
}

const MAX_FRAMES = 8

/** What a person needs to find the fault. Query parameters, which database drivers put behind the message, are rows: cut off. */
function redactError(error: Error, depth: number): Record<string, unknown> {
  const [message = ''] = error.message.split('\nparams:')
  const frames = (error.stack ?? '').split('\n').flatMap((line) => /^\s+at (.*)/.exec(line)?.[1] ?? [])
  const { code } = error as { code?: unknown }
  return {
    name: error.name,
    message: redactText(message),
    ...(typeof code === 'string' ? { code } : {}),
    ...(frames.length > 0 ? { stack: frames.slice(0, MAX_FRAMES) } : {}),
    ...(error.cause === undefined || depth >= MAX_DEPTH ? {} : { cause: redact(error.cause, depth + 1) }),
  }
}

function redactFields(value: object, depth: number): Record<string, unknown> {
  const clean: Record<string, unknown> = {}
  for (const name of Object.keys(value).slice(0, MAX_ITEMS)) {
    const field = read(value, name)
    clean[name] = isSecretName(name) && field !== null && field !== undefined ? HIDDEN : redact(field, depth + 1)
  }
  return clean
}

export function isSecretName(name: string): boolean {
  return SECRET_NAMES.has(name.replace(/[-_]/g, '').toLowerCase())
}

function read(value: object, name: string): unknown {
  try {
    return (value as Record<string, unknown>)[name]
  } catch {
    return '[unreadable]'
  }
}
