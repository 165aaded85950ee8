/**
 * What a provider is: facts about a vendor's service and one way of signing in to it. Data and small pure functions;
 * the request path never asks "which vendor is this", it reads this record (design: protocols and providers are two tables).
 *
 * A new vendor that speaks a known protocol is one file here and one line in `table.ts` (REL-18).
 */
import type { Account } from '../core/entities.ts'
import type { AccountType, Platform, ProtocolId } from '../core/platform.ts'
import type { ByteFilter, Operation } from '../protocols/protocol.ts'
import type { ReadLimit, ReadSnapshot } from './limits/limit.ts'

const PROVIDER_IDS = [
  'openai-key',
  'openai-codex',
  'anthropic-key',
  'anthropic-oauth',
  'gemini-key',
  'gemini-oauth',
  'bedrock-aws',
] as const
export type ProviderId = (typeof PROVIDER_IDS)[number]

export interface EndpointInput {
  account: Account
  operation: Operation
  /** The upstream's name for the model. */
  model: string
  /** API version that the client asked for, e.g. "v1beta"; only Gemini has more than one. */
  version: string
  /** Was a stream asked for? Only some vendors have an endpoint of its own for it. */
  stream: boolean
  /** The client's query with its "?", credentials already removed; "" without one. */
  search: string
}

export interface Provider {
  id: ProviderId
  platform: Platform
  accountType: AccountType
  speaks: readonly ProtocolId[]
  /** Operation ids it does not offer although it speaks the protocol. */
  lacks: readonly string[]
  /** Full upstream URL (REL-3). */
  endpoint(input: EndpointInput): string
  /** Where the vendor lists its models, and how to read that list; null when it has none (ACC-2). */
  modelList: { url(account: Account): string; ids(list: unknown): string[] } | null
  /** Header with the credential. The secret is an API key or an OAuth access token. */
  authorize(account: Account, secret: string): Record<string, string>
  /** Sent when the client sent none of that name. Lower case. */
  defaultHeaders: Readonly<Record<string, string>>
  /** Client headers that may pass (REL-4); lower case. Everything else stays here. */
  forwardHeaders: ReadonlySet<string>
  forwardPrefixes: readonly string[]
  /** What a 429 says about when and for what it ends (ACC-6). */
  readLimit: ReadLimit
  /** The subscription's windows, on every answer (ACC-11); null where the vendor sends none. */
  readSnapshot: ReadSnapshot | null
  /** How a snapshot's fields are named in the account's `extra`. */
  snapshotPrefix: string
  /** Models that share a limit. */
  familyOf(model: string): string
  /** Body says `store:false` whatever the client said (REL-3). */
  forceStoreFalse: boolean
  /** `accept` is set by what is asked for, not by the client (REL-3). */
  accept: 'by-stream' | 'any'
  /** Left out by all who put the protocol on the wire as it is. */
  envelope?: Envelope
}

/**
 * How a vendor wraps a protocol that it speaks: all that lies between the protocol's bytes and those on its wire. The request path puts
 * requests in and takes answers out; gate, meter and client only ever see the protocol.
 */
export interface Envelope {
  /** The vendor's id for what clients and mappings call the model. */
  modelId(account: Account, model: string): string
  /** What the answers of that id call the model (REL-10). */
  nameInAnswers(modelId: string): string
  /** Names that an account serves without a mapping; listed in place of a `modelList` (ACC-2). */
  models: readonly string[]
  /** The client's body as this vendor takes it. The body was inspected: it is valid. */
  request(input: { operation: Operation; body: Uint8Array; header(name: string): string | null }): Uint8Array
  /** AWS Signature Version 4, over the finished request; made in `credentials/`, because it needs a clock and digests. */
  signing: { service: string; region(account: Account): string } | null
  /** A successful answer that is no stream. */
  whole(operation: Operation, body: Uint8Array): Uint8Array
  /** For a successful stream. Null: this content type is the protocol itself. */
  stream(input: { contentType: string; modelId: string }): Unwrapping | null
  /** An answer that is no success: status and body as the protocol's own API would have sent them. */
  error(input: ErrorAnswer): { status: number; body: Uint8Array }
}

export interface Unwrapping extends ByteFilter {
  /** Why the stream can't be read on; null as long as it can. What was given out before is sound. */
  readonly damage: Error | null
}

export interface ErrorAnswer {
  status: number
  header(name: string): string | null
  body: Uint8Array
}

/**
 * Joins an account's base URL, given with or without a trailing slash or a version segment, and a path (REL-3).
 *
 * joinUrl('https://api.openai.com', 'v1', '/responses')    → https://api.openai.com/v1/responses
 * joinUrl('https://openrouter.ai/api/v1/', 'v1', '/x')     → https://openrouter.ai/api/v1/x
 * joinUrl('https://host/v1beta/openai', 'v1', '/x')        → https://host/v1beta/openai/x   (a version stands in it already)
 */
export function joinUrl(baseUrl: string, version: string, path: string): string {
  let base = baseUrl
  while (base.endsWith('/')) base = base.slice(0, -1)
  const pathStart = base.indexOf('/', base.indexOf('//') + 2)
  const hasVersion = pathStart !== -1 && /\/v\d+(?:(?:alpha|beta)\d*)?(?:\/|$)/.test(base.slice(pathStart))
  return hasVersion ? base + path : `${base}/${version}${path}`
}

/** Reads `{ [field]: [{ [id]: string }] }`, the shape of every vendor's model list. Anything else gives no names. */
export function idsIn(list: unknown, field: string, id: string): string[] {
  if (typeof list !== 'object' || list === null) return []
  const items = (list as Record<string, unknown>)[field]
  if (!Array.isArray(items)) return []
  return items
    .map((item) => (typeof item === 'object' && item !== null ? (item as Record<string, unknown>)[id] : null))
    .filter((name) => typeof name === 'string')
}
