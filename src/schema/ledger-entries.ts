/**
 * The ledger: every movement of money, never changed, never deleted (BIL-11). The balance of a user or key is the sum of its
 * entries, always; a charge has its request's id as its own, so the primary key itself refuses a second one (BIL-8).
 */
import { sql } from 'drizzle-orm'
import { check, index, pgTable, text as textColumn, uuid } from 'drizzle-orm/pg-core'
import { createdAt, nano } from './columns.ts'
import { choice, id, nullable, text, time, usd } from './field.ts'
import { defineCreate, defineView, fieldsOf } from './resource.ts'

const LEDGER_KINDS = ['charge', 'refund', 'top_up', 'adjustment', 'reprice'] as const
const PAYERS = ['user', 'key'] as const
export type Payer = (typeof PAYERS)[number]

export const ledgerEntries = pgTable(
  'ledger_entries',
  {
    id: uuid('id').primaryKey(),
    payer: textColumn('payer', { enum: PAYERS }).notNull(),
    /** The user or key whose balance it moves. No foreign key: batches of charges must not lock the payer twice. */
    payerId: uuid('payer_id').notNull(),
    kind: textColumn('kind', { enum: LEDGER_KINDS }).notNull(),
    /** Positive: money in. */
    amountNano: nano('amount_nano').notNull(),
    requestId: uuid('request_id'),
    /** Name of the admin token behind it. */
    actor: textColumn('actor'),
    note: textColumn('note').notNull().default(''),
    createdAt: createdAt(),
  },
  (table) => [
    index('ledger_entries_payer').on(table.payerId, table.id),
    check('ledger_entries_reference', sql`${table.requestId} is not null or ${table.actor} is not null`),
  ],
)

export type LedgerEntryRow = typeof ledgerEntries.$inferSelect

const ledgerEntryFields = fieldsOf<LedgerEntryRow>()({
  id: id('id', { description: 'The entry’s id', example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e18' }),
  payer: choice('payer', PAYERS, { description: 'Whose balance it moves', example: 'user' }),
  payer_id: id('payerId', { description: 'The user’s or key’s id', example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e10' }),
  kind: choice('kind', LEDGER_KINDS, { description: 'What it is', example: 'top_up' }),
  amount_usd: usd('amountNano', { description: 'Positive: money in', example: 25, minimum: -1_000_000_000 }),
  request_id: nullable(
    id('requestId', { description: 'Request that it is for', example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e19' }),
  ),
  actor: nullable(text('actor', { description: 'Name of the admin token behind it', example: 'root' })),
  note: text('note', { description: 'Why', example: 'Invoice 42' }),
  created_at: time('createdAt', { description: 'When it was booked', example: '2026-07-24T18:23:00.000Z' }),
})

export const LedgerEntryView = defineView('LedgerEntry', ledgerEntryFields, [
  'id',
  'payer',
  'payer_id',
  'kind',
  'amount_usd',
  'request_id',
  'actor',
  'note',
  'created_at',
])

/** Body of `POST /admin/users/{id}/balance`: a top-up when positive, a deduction when negative. */
export const BalanceChange = defineCreate('BalanceChange', ledgerEntryFields, {
  required: ['amount_usd'],
  optional: ['note'],
})
