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
  about: { list: string; get: string; patch: string; delete: string }
  /** Made by `listQuery`. */
  query: Query
  list(query: Static<Query>): Promise<Page<Row> | Fault>
  find(id: string): Promise<Row | null>
  patchBody: PatchBody
  patchExample?: object
  patch(actor: Actor, id: string, body: Static<PatchBody>): Promise<Row | Fault | null>
  remove(actor: Actor, id: string): Promise<true | Fault | null>
  /** Absent: the resource has its own create call. */
  create?: CreateSide<Row, CreateBody>
}

interface CreateSide<Row, CreateBody extends TSchema> {
  about: string
  body: CreateBody
  example?: object
  run(actor: Actor, body: Static<CreateBody>): Promise<Row | Fault | null>
}

export function resourceCalls<
  Row extends object,
  Shown extends TSchema,
  Query extends TObject,
  CreateBody extends TSchema,
  PatchBody extends TSchema,
>(resource: Resource<Row, Shown, Query, CreateBody, PatchBody>): Call[] {
  return [...readCalls(resource), ...writeCalls(resource)]
}

type ReadSide<Row, Shown extends TSchema, Query extends TObject> = Pick<
  Resource<Row, Shown, Query, TSchema, TSchema>,
  'path' | 'tag' | 'nouns' | 'about' | 'view' | 'query' | 'list' | 'find'
>

function readCalls<Row extends object, Shown extends TSchema, Query extends TObject>(
  resource: ReadSide<Row, Shown, Query>,
): Call[] {
  const { path, tag, nouns, view, about, query, list, find } = resource
  const listCall = call({
    method: 'GET',
    path,
    tag,
    summary: `List ${nouns[1]}`,
    description: about.list,
    query,
    status: 200,
    answer: listAnswer(String(view.schema.title), view.schema),
    problems: [],
    handle: ({ query }) => showPage(list(query), view.show),
  })
  const getCall = call({
    method: 'GET',
    path: `${path}/:id`,
    tag,
    summary: `Get ${nouns[0]}`,
    description: about.get,
    status: 200,
    answer: view.schema,
    problems: [404],
    handle: async ({ id }) => showRow(view, await find(id)),
  })
  return [listCall, getCall]
}

function writeCalls<
  Row extends object,
  Shown extends TSchema,
  Query extends TObject,
  CreateBody extends TSchema,
  PatchBody extends TSchema,
>(resource: Resource<Row, Shown, Query, CreateBody, PatchBody>): Call[] {
  const { path, tag, view, about, create, patch, patchBody, patchExample, remove } = resource
  const [one] = resource.nouns
  const patchCall = call({
    method: 'PATCH',
    path: `${path}/:id`,
    tag,
    summary: `Change ${one}`,
    description: about.patch,
    body: patchBody,
    bodyExample: patchExample,
    status: 200,
    answer: view.schema,
    problems: [404, 409],
    handle: async ({ actor, id, body }) => showRow(view, await patch(actor, id, body)),
  })
  const deleteCall = call({
    method: 'DELETE',
    path: `${path}/:id`,
    tag,
    summary: `Delete ${one}`,
    description: about.delete,
    status: 204,
    problems: [404, 409],
    handle: ({ actor, id }) => remove(actor, id),
  })
  return create ? [createCall(resource, create), patchCall, deleteCall] : [patchCall, deleteCall]
}

function createCall<Row extends object, Shown extends TSchema, CreateBody extends TSchema>(
  { path, tag, nouns, view }: Pick<ReadSide<Row, Shown, TObject>, 'path' | 'tag' | 'nouns' | 'view'>,
  create: CreateSide<Row, CreateBody>,
): Call {
  return call({
    method: 'POST',
    path,
    tag,
    summary: `Create ${nouns[0]}`,
    description: create.about,
    body: create.body,
    bodyExample: create.example,
    status: 201,
    answer: view.schema,
    problems: [409],
    handle: async ({ actor, body }) => showRow(view, await create.run(actor, body)),
  })
}

/** A refusal or nothing stays what it is. */
function showRow<Row extends object, Shown extends TSchema>(view: View<Shown, Row>, row: Row | Fault | null) {
  return row === null || isFault(row) ? row : view.show(row)
}
