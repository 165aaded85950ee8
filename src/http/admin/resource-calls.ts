/** The five calls that most resources have: list, create, get, patch, delete (contract.md). */
import type { Static, TObject, TSchema } from '@sinclair/typebox'
import type { Actor } from '../../admin/actor.ts'
import type { Page } from '../../admin/pages.ts'
import { type Fault, isFault } from '../../core/fault.ts'
import type { View } from '../../schema/resource.ts'
import { type Call, call } from './call.ts'
import { listAnswer, showPage } from './lists.ts'

export interface Resource<
  Row,
  Shown extends TSchema,
  Query extends TObject,
  CreateBody extends TSchema,
  PatchBody extends TSchema,
> {
  /** "/admin/users" */
  path: string
  /** Of the group in Swagger: "Users". */
  tag: string
  /** "a user", "users": for the sentences. */
  nouns: readonly [one: string, many: string]
  view: View<Shown, Row>
  /** What each call's description says: which rules it keeps. */
  about: { list: string; get: string; create: string; patch: string; delete: string }
  /** Made by `listQuery`. */
  query: Query
  list(query: Static<Query>): Promise<Page<Row> | Fault>
  find(id: string): Promise<Row | null>
  patchBody: PatchBody
  patchExample?: object
  patch(actor: Actor, id: string, body: Static<PatchBody>): Promise<Row | Fault | null>
  remove(actor: Actor, id: string): Promise<true | Fault | null>
  /** Absent: the resource has its own create call. */
  create?: {
    body: CreateBody
    example?: object
    run(actor: Actor, body: Static<CreateBody>): Promise<Row | Fault | null>
  }
}

export function resourceCalls<
  Row extends object,
  Shown extends TSchema,
  Query extends TObject,
  CreateBody extends TSchema,
  PatchBody extends TSchema,
>(resource: Resource<Row, Shown, Query, CreateBody, PatchBody>): Call[] {
  const { path, tag, nouns, view, about, create } = resource
  const [one, many] = nouns
  const shown = (row: Row | Fault | null) => (row === null || isFault(row) ? row : view.show(row))

  const list = call({
    method: 'GET',
    path,
    tag,
    summary: `List ${many}`,
    description: about.list,
    query: resource.query,
    status: 200,
    answer: listAnswer(String(view.schema.title), view.schema),
    problems: [],
    handle: ({ query }) => showPage(resource.list(query), view.show),
  })
  const byId = { path: `${path}/:id`, tag, status: 200, answer: view.schema } as const
  const get = call({
    ...byId,
    method: 'GET',
    summary: `Get ${one}`,
    description: about.get,
    problems: [404],
    handle: async ({ id }) => shown(await resource.find(id)),
  })
  const patch = call({
    ...byId,
    method: 'PATCH',
    summary: `Change ${one}`,
    description: about.patch,
    body: resource.patchBody,
    bodyExample: resource.patchExample,
    problems: [404, 409],
    handle: async ({ actor, id, body }) => shown(await resource.patch(actor, id, body)),
  })
  const remove = call({
    method: 'DELETE',
    path: `${path}/:id`,
    tag,
    summary: `Delete ${one}`,
    description: about.delete,
    status: 204,
    problems: [404, 409],
    handle: ({ actor, id }) => resource.remove(actor, id),
  })
  const make =
    create &&
    call({
      method: 'POST',
      path,
      tag,
      summary: `Create ${one}`,
      description: about.create,
      body: create.body,
      bodyExample: create.example,
      status: 201,
      answer: view.schema,
      problems: [409],
      handle: async ({ actor, body }) => shown(await create.run(actor, body)),
    })
  return [list, ...(make ? [make] : []), get, patch, remove]
}
