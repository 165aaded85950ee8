/** Headers and bodies of a request, where they are recorded (USE-1): what may be kept of them. */
import { redactText } from '../lib/redact.ts'

export interface RecordedSide {
  /** Null: not to be recorded. */
  headers: Record<string, string> | null
  /** Null: likewise, or there was none. */
  body: string | null
  /** Of the whole body. */
  bytes: number | null
  /** The body here is only its beginning. */
  cut: boolean
}

export interface RecordedRequest {
  /** The request's. */
  id: string
  createdAtMs: number
  request: RecordedSide
  response: RecordedSide
}

/** `Headers`, or the entries of a plain object. */
export type HeaderFields = Iterable<readonly [name: string, value: string]>

export const MASK = '[masked]'

/**
 * Who somebody is, and with what they sign in: `authorization`, `x-api-key`, `x-goog-api-key`, `cookie`, `x-amz-security-token`,
 * `chatgpt-account-id` and whatever is named like them. Rate limits in tokens are not.
 */
const SECRET =
  /auth|cookie|secret|password|passwd|credential|signature|api-?key|token$|-key$|^key$|account-id$|organization|jwt/
/** Where a client is, which has a setting of its own. */
const ADDRESS =
  /^(x-forwarded-for|x-real-ip|forwarded|x-client-ip|x-cluster-client-ip|cf-connecting-ip|true-client-ip|via)$/

/** Header by header; what looks like a secret inside of any other value is taken out, too. */
export function maskHeaders(headers: HeaderFields, options: { addresses: boolean }): Record<string, string> {
  const masked: Record<string, string> = {}
  for (const [name, value] of headers) {
    const hidden = SECRET.test(name) || (!options.addresses && ADDRESS.test(name))
    masked[name] = hidden ? MASK : redactText(value)
  }
  return masked
}
