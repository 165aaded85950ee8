/** What the API shows and takes of an account. Bodies carry credentials in clear, answers show them masked (ACC-8). */
import { type Static, Type } from '@sinclair/typebox'
import {
  type CredentialsBody,
  CredentialsInput,
  CredentialsPatch,
  type CredentialsPatchBody,
} from './account-credentials.ts'
import { accountFields } from './accounts.ts'
import { defineCreate, definePatch, defineView } from './resource.ts'

export const AccountView = defineView('Account', accountFields, [
  'id',
  'name',
  'description',
  'platform',
  'type',
  'credentials',
  'status',
  'schedulable',
  'priority',
  'concurrency',
  'model_mapping',
  'proxy_id',
  'group_ids',
  'rate_multiplier',
  'free_tier',
  'custom_error_codes',
  'expires_at',
  'rate_limited_until',
  'overloaded_until',
  'unschedulable_until',
  'first_byte_timeout',
  'stream_idle_timeout',
  'request_timeout',
  'error_message',
  'extra',
  'request_count',
  'month_request_count',
  'upstream_cost_usd',
  'month_upstream_cost_usd',
  'last_used_at',
  'created_at',
  'updated_at',
])

const { credentials: _masked, ...columns } = accountFields

const create = defineCreate('AccountCreate', columns, {
  required: ['name', 'platform', 'type'],
  optional: [
    'description',
    'status',
    'schedulable',
    'priority',
    'concurrency',
    'model_mapping',
    'proxy_id',
    'group_ids',
    'rate_multiplier',
    'free_tier',
    'custom_error_codes',
    'expires_at',
    'first_byte_timeout',
    'stream_idle_timeout',
    'request_timeout',
  ],
})

/** Platform and type stay: another platform is another account. */
const patch = definePatch('AccountPatch', columns, [
  'name',
  'description',
  'status',
  'schedulable',
  'priority',
  'concurrency',
  'model_mapping',
  'proxy_id',
  'group_ids',
  'rate_multiplier',
  'free_tier',
  'custom_error_codes',
  'expires_at',
  'unschedulable_until',
  'first_byte_timeout',
  'stream_idle_timeout',
  'request_timeout',
])

/** `read` gives the columns; the body's `credentials` go through `readCredentials` and the secret box. */
export const AccountCreate = {
  schema: Type.Object(
    { ...create.schema.properties, credentials: CredentialsInput },
    { title: 'AccountCreate', additionalProperties: false },
  ),
  read: ({ credentials: _sealedElsewhere, ...body }: Static<typeof create.schema> & { credentials: CredentialsBody }) =>
    create.read(body),
}

export const AccountPatch = {
  schema: Type.Object(
    { ...patch.schema.properties, credentials: Type.Optional(CredentialsPatch) },
    { title: 'AccountPatch', additionalProperties: false, minProperties: 1 },
  ),
  read: ({
    credentials: _sealedElsewhere,
    ...body
  }: Static<typeof patch.schema> & { credentials?: CredentialsPatchBody }) => patch.read(body),
}
