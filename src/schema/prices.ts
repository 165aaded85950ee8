/**
 * Prices that operators set, and overrides for one account (BIL-2); the built-in table is no table of the database.
 * Rows are dated: a request is priced by the newest row that was in force when it began.
 */
import { type Static, Type } from '@sinclair/typebox'
import { sql } from 'drizzle-orm'
import { jsonb, pgTable, text as textColumn, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { PLATFORMS } from '../core/platform.ts'
import { accounts } from './accounts.ts'
import { createdAt, instant, updatedAt } from './columns.ts'
import { choice, id, json, nullable, text, time } from './field.ts'
import { defineCreate, defineView, fieldsOf } from './resource.ts'

const perMillion = (description: string, example: number) =>
  Type.Optional(
    Type.Number({ minimum: 0, maximum: 1_000_000, description: `USD for a million ${description}`, example }),
  )

const parts = {
  input_usd: perMillion('uncached input tokens', 3),
  output_usd: perMillion('output tokens, reasoning included', 15),
  cache_read_usd: perMillion('tokens read from cache; absent: BIL-4', 0.3),
  cache_write_5m_usd: perMillion('tokens written to cache for 5 minutes; absent: 1.25 × input', 3.75),
  cache_write_1h_usd: perMillion('tokens written to cache for an hour; absent: 2 × input', 6),
  input_audio_usd: perMillion('audio input tokens; absent: as input', 10),
  input_image_usd: perMillion('image input tokens; absent: as input', 3),
  cache_read_audio_usd: perMillion('audio tokens read from cache; absent: as cache read', 2.5),
  output_audio_usd: perMillion('audio output tokens; absent: as output', 20),
  output_image_usd: perMillion('image output tokens; absent: as output', 30),
  reasoning_usd: perMillion('reasoning tokens; absent: as output', 15),
}
const Parts = Type.Object(parts, { additionalProperties: false })
const ServiceTiers = Type.Optional(
  Type.Object(
    { batch: Type.Optional(Parts), flex: Type.Optional(Parts), priority: Type.Optional(Parts) },
    { additionalProperties: false, description: 'Prices of a service tier, where they differ' },
  ),
)

/** Prices of one model: per million tokens, and per request. Stored as the wire has it; core/price-wire turns it into integers. */
export const PriceRates = Type.Object(
  {
    ...parts,
    request_usd: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1_000_000,
        description: 'USD for a request that did not fail (BIL-5)',
        example: 0,
      }),
    ),
    web_search_usd: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1_000_000, description: 'USD for one server-side search', example: 0.01 }),
    ),
    context_tiers: Type.Optional(
      Type.Array(
        Type.Object(
          {
            above_tokens: Type.Integer({
              minimum: 1,
              description: 'Context beyond which it applies',
              example: 200_000,
            }),
            ...parts,
            service_tiers: ServiceTiers,
          },
          { additionalProperties: false },
        ),
        { maxItems: 10, description: 'The highest tier reached prices the whole request (BIL-4)' },
      ),
    ),
    service_tiers: ServiceTiers,
  },
  { title: 'PriceRates', additionalProperties: false },
)
export type PriceRates = Static<typeof PriceRates>

export const prices = pgTable(
  'prices',
  {
    id: uuid('id').primaryKey(),
    /** Null: for every account. */
    accountId: uuid('account_id').references(() => accounts.id, { onDelete: 'cascade' }),
    model: textColumn('model').notNull(),
    /** Null: on every platform. */
    platform: textColumn('platform', { enum: PLATFORMS }),
    effectiveFrom: instant('effective_from').notNull(),
    rates: jsonb('rates').$type<PriceRates>().notNull(),
    note: textColumn('note').notNull().default(''),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    // coalesce, because NULLs are all different to a unique index before Postgres 15.
    uniqueIndex('prices_identity').on(
      table.model,
      sql`coalesce(${table.platform}, '')`,
      sql`coalesce(${table.accountId}, '00000000-0000-0000-0000-000000000000'::uuid)`,
      table.effectiveFrom,
    ),
  ],
)

export type PriceRow = typeof prices.$inferSelect

const example = '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e17'

const priceFields = fieldsOf<PriceRow>()({
  id: id('id', { description: 'The row’s id', example }),
  model: text('model', { description: 'Model name', example: 'claude-sonnet-4-5', minLength: 1, maxLength: 300 }),
  platform: nullable(choice('platform', PLATFORMS, { description: 'null: every platform', example: 'anthropic' })),
  account_id: nullable(id('accountId', { description: 'Only for this account; null: for all', example })),
  effective_from: time('effectiveFrom', { description: 'In force from then on', example: '2026-07-01T00:00:00.000Z' }),
  rates: json('rates', PriceRates, { description: 'The prices', example: { input_usd: 3, output_usd: 15 } }),
  note: text('note', { description: 'Where it comes from', example: 'Provider’s price page, July' }),
  created_at: time('createdAt', { description: 'When the row was made', example: '2026-07-01T09:00:00.000Z' }),
  updated_at: time('updatedAt', { description: 'Last edit', example: '2026-07-01T09:00:00.000Z' }),
})

export const PriceView = defineView('Price', priceFields, [
  'id',
  'model',
  'platform',
  'account_id',
  'effective_from',
  'rates',
  'note',
  'created_at',
  'updated_at',
])

/** Body of PUT `{model}`; `effective_from` absent: from now on. */
export const PricePut = defineCreate('PricePut', priceFields, {
  required: ['rates'],
  optional: ['platform', 'account_id', 'effective_from', 'note'],
})
