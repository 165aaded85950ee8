/** Proxies through which an account's upstream traffic goes (REL-5). Name and password are sealed, never shown. */
import { pgTable, text as textColumn, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { createdAt, updatedAt } from './columns.ts'
import { choice, flag, id, nullable, text, time } from './field.ts'
import { defineCreate, definePatch, defineView, fieldsOf } from './resource.ts'
import { SWITCH } from './users.ts'

export const proxies = pgTable(
  'proxies',
  {
    id: uuid('id').primaryKey(),
    name: textColumn('name').notNull(),
    /** Without credentials (OPS-10). */
    url: textColumn('url').notNull(),
    /** Sealed JSON `{username, password}` (lib/secretbox), or null. */
    sealedCredentials: textColumn('sealed_credentials'),
    status: textColumn('status', { enum: SWITCH }).notNull().default('active'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [uniqueIndex('proxies_name').on(table.name)],
)

export type ProxyRow = typeof proxies.$inferSelect

/** What a proxy asks for before it lets traffic through. */
export interface ProxyCredentials {
  username: string
  password: string
}

/** A row as shown, and as bodies give it: credentials in, only whether there are any out. */
export type ProxyRecord = ProxyRow & { hasCredentials: boolean; username: string | null; password: string | null }

const proxyFields = fieldsOf<ProxyRecord>()({
  id: id('id', { description: 'The proxy’s id', example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e13' }),
  name: text('name', { description: 'Unique name', example: 'frankfurt-1', minLength: 1, maxLength: 100 }),
  url: text('url', {
    description: 'http:// or https://, without user name and password',
    example: 'http://proxy.example.com:3128',
    maxLength: 2000,
  }),
  username: nullable(text('username', { description: 'Write only', example: 'gateway', maxLength: 500 })),
  password: nullable(text('password', { description: 'Write only', example: 'secret', maxLength: 500 })),
  has_credentials: flag('hasCredentials', { description: 'Does it log in at the proxy?', example: true }),
  status: choice('status', SWITCH, { description: 'Accounts of a disabled proxy are not chosen', example: 'active' }),
  created_at: time('createdAt', { description: 'When the proxy was made', example: '2026-07-01T09:00:00.000Z' }),
  updated_at: time('updatedAt', { description: 'Last edit by an operator', example: '2026-07-01T09:00:00.000Z' }),
})

export const ProxyView = defineView('Proxy', proxyFields, [
  'id',
  'name',
  'url',
  'has_credentials',
  'status',
  'created_at',
  'updated_at',
])

export const ProxyCreate = defineCreate('ProxyCreate', proxyFields, {
  required: ['name', 'url'],
  optional: ['username', 'password', 'status'],
})

/** Credentials are replaced as a pair: `username` and `password` null take them away. */
export const ProxyPatch = definePatch('ProxyPatch', proxyFields, ['name', 'url', 'username', 'password', 'status'])
