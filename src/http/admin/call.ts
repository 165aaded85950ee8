/**
 * One call of the admin API, told once: what it takes and gives, what it does, and what Swagger says about it (OPS-12).
 *
 * `./serve-call.ts` runs it (authenticate → check → do → answer), `../docs.ts` describes it. Both read the same value, so a call
 * can't be documented otherwise than it behaves.
 */
import type { Static, TObject, TSchema } from '@sinclair/typebox'
import type { Actor } from '../../admin/actor.ts'
import type { Fault } from '../../core/fault.ts'
import type { Problem } from '../answer.ts'
import type { StreamedAnswer } from '../stream-answer.ts'

export interface CallInput<Query, Body> {
  /** The `{id}` (or other single parameter) of the path; '' when there is none. */
  id: string
  query: Query
  body: Body
  /** The body of a call with `bodyIsStreamed`, as it comes; nothing otherwise. Throws when it grows beyond the limit. */
  chunks: AsyncIterable<Uint8Array>
  actor: Actor
  requestId: string
}

/** Null: no such thing (404). A Fault: the wish makes no sense (422) or collides (409). */
export type CallResult<Answer> = Answer | null | Fault | Problem | StreamedAnswer

export interface Call {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With Elysia's parameters: "/admin/users/:id/balance". */
  path: string
  tag: string
  summary: string
  /** Names the rule that it keeps. */
  description: string
  query?: TObject
  body?: TSchema
  /** Of the body, when it isn't the one made of the fields' own examples. */
  bodyExample?: unknown
  /** No body at all is taken for `{}`. */
  bodyMayBeEmpty?: boolean
  /** The call reads and checks the body itself, from `chunks`: it is too large to be held. `body` is what Swagger says of it. */
  bodyIsStreamed?: boolean
  /** Changes nothing, although it is no GET: viewers may call it. */
  readOnly?: boolean
  /** Largest body; bodies of admin calls are small, imports are not. */
  maxBodyBytes?: number
  status: 200 | 201 | 204
  answer?: TSchema
  /** Instead of an answer in JSON: the types of what is streamed, each with an example. */
  streams?: Readonly<Record<string, string>>
  /** Statuses beyond those that every call may give. */
  problems: readonly (404 | 409)[]
  handle(input: CallInput<never, never>): Promise<CallResult<unknown>>
}

interface TypedCall<Query extends TObject, Body extends TSchema, Answer extends TSchema>
  extends Omit<Call, 'query' | 'body' | 'answer' | 'handle'> {
  query?: Query
  body?: Body
  answer?: Answer
  handle(input: CallInput<Static<Query>, Static<Body>>): Promise<CallResult<Static<Answer>>>
}

/** Keeps the handler's types in step with the schemas. */
export function call<Query extends TObject, Body extends TSchema, Answer extends TSchema>(
  definition: TypedCall<Query, Body, Answer>,
): Call {
  return definition as Call
}
