/**
 * How every admin call is served, in this order: who are you, may you, what do you want, do it, tell it.
 *
 * The order is why Elysia's own parsing and validation are off here: they would read and check a stranger's body before asking
 * for the token. Nothing of a body is read, and no more than the call's limit, before the caller is known (OPS-9, OPS-11).
 * If it fails: a database that is away is a 503, anything else a 500; both are logged with the request id, neither shows why.
 */
import type { Actor } from '../../admin/actor.ts'
import { type Fault, isFault } from '../../core/fault.ts'
import { newId } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import { isProblem, jsonAnswer, type Problem, problem, problemAnswer, textAnswer } from '../answer.ts'
import type { AddressSource } from '../client-address.ts'
import { urlOf } from '../request-url.ts'
import { isStreamed, streamAnswer } from '../stream-answer.ts'
import type { Call } from './call.ts'
import { readBody, readQuery } from './read-input.ts'

export type CallerCheck = (request: Request, server: AddressSource | null) => Promise<Actor | Problem>

export interface ServeDeps {
  authenticate: CallerCheck
  log: Log
  /** Is this exception the database being away? */
  isDatabaseAway(error: unknown): boolean
}

export interface Incoming {
  request: Request
  server: AddressSource | null
  /** The path's parameter, decoded; '' when the call has none, null when it can't be decoded. */
  id: string | null
}

const DEFAULT_BODY_BYTES = 1024 * 1024

export async function serveCall(call: Call, incoming: Incoming, deps: ServeDeps): Promise<Response> {
  const requestId = newId()
  try {
    const result = await runCall(call, incoming, deps, requestId)
    if (isProblem(result)) return problemAnswer(result, requestId)
    if (isStreamed(result)) {
      const onFailure = (error: unknown) =>
        deps.log.error('a streamed answer broke off', { requestId, path: call.path, error })
      return streamAnswer(result, { requestId, onFailure })
    }
    if (call.status === 204) return textAnswer(null, '', { status: 204, requestId })
    return jsonAnswer(result, { status: call.status, requestId })
  } catch (error) {
    const away = deps.isDatabaseAway(error)
    deps.log.error('admin call failed', { requestId, method: call.method, path: call.path, databaseAway: away, error })
    const found = away
      ? problem(503, 'database_unavailable', 'the database cannot be reached; nothing was changed')
      : problem(500, 'internal_error', 'turnpike failed at this; the log has the details under the request id')
    return problemAnswer(found, requestId)
  }
}

async function runCall(call: Call, incoming: Incoming, deps: ServeDeps, requestId: string): Promise<unknown> {
  const { request, server, id } = incoming
  const actor = await deps.authenticate(request, server)
  if (isProblem(actor)) return actor
  if (call.method !== 'GET' && !call.readOnly && actor.role !== 'admin') {
    return problem(403, 'read_only_token', 'this token may only read; the call needs an admin token')
  }
  if (id === null) return notFound()
  const query = call.query ? readQuery(call.query, urlOf(request).searchParams) : { value: {} }
  if (isProblem(query)) return query
  const body = call.body && !call.bodyIsStreamed ? await readRequestBody(call, request) : { value: undefined }
  if (isProblem(body)) return body
  const chunks = boundedChunks(call.bodyIsStreamed ? request.body : null, limitOf(call))
  const input = { id, query: query.value as never, body: body.value as never, chunks, actor, requestId }
  const result = await call.handle(input).catch((error) => {
    if (error instanceof BodyTooLarge) return tooLarge(limitOf(call))
    throw error
  })
  if (result === null) return notFound()
  return isFault(result) ? faultProblem(call, result) : result
}

function notFound(): Problem {
  return problem(404, 'not_found', 'there is nothing with this id')
}

/** What makes no sense in the URL is a 400, in a body a 422 (contract.md). */
function faultProblem(call: Call, { fault, field, message }: Fault): Problem {
  if (fault === 'conflict') return problem(409, 'conflict', message, field)
  if (field !== null && call.query && Object.hasOwn(call.query.properties, field)) {
    return problem(400, 'invalid_parameter', message, field)
  }
  return problem(422, 'invalid_field', message, field)
}

async function readRequestBody(call: Call, request: Request): Promise<{ value: unknown } | Problem> {
  const text = await readText(request, limitOf(call))
  if (text === null) return tooLarge(limitOf(call))
  return readBody(call.body!, text === '' && call.bodyMayBeEmpty ? '{}' : text)
}

function limitOf(call: Call): number {
  return call.maxBodyBytes ?? DEFAULT_BODY_BYTES
}

function tooLarge(limitBytes: number): Problem {
  return problem(413, 'body_too_large', `the body is larger than ${limitBytes} bytes`)
}

class BodyTooLarge extends Error {
  override name = 'BodyTooLarge'
}

/** A body as it comes, up to the limit. */
async function* boundedChunks(body: Request['body'], limitBytes: number): AsyncGenerator<Uint8Array> {
  let size = 0
  for await (const chunk of body ?? []) {
    size += chunk.byteLength
    if (size > limitBytes) throw new BodyTooLarge()
    yield chunk
  }
}

/** The body as text, or null as soon as it is longer than the limit: whatever content-length claims, no more is kept. */
async function readText(request: Request, limitBytes: number): Promise<string | null> {
  if (Number(request.headers.get('content-length') ?? 0) > limitBytes) return null
  if (!request.body) return ''
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body) {
    size += chunk.byteLength
    if (size > limitBytes) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
