import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { recordedOf } from '../../src/core/receipt.ts'
import { NO_USAGE } from '../../src/core/usage.ts'
import { fieldsOf, RECORD_COLUMN_NAMES, receiptLine, recordedInLine } from '../../src/db/receipt-rows.ts'
import { insertReceiptLines } from '../../src/db/receipts.ts'
import { withDatabase } from '../support/database.ts'
import { makeReceipt, NOON } from '../support/receipts.ts'

/** A journal may have been written by any earlier version: names may be added at the end of this list, nothing else. */
const EVER_SINCE =
  `id created_at finished_at user_id key_id account_id group_id subscription_id platform protocol endpoint model
  upstream_model input_tokens output_tokens cache_read_tokens cache_write_5m_tokens cache_write_1h_tokens reasoning_tokens total_tokens
  token_parts iterations input_cost_nano output_cost_nano cache_write_cost_nano cache_read_cost_nano request_cost_nano cost_nano
  charged_nano upstream_cost_nano priced price_used metering billing_type stream status http_status error_code error_message
  upstream_request_id duration_ms first_token_ms attempts choice service_tier user_agent client_ip`.split(/\s+/)

const ATTEMPT = { accountId: 'a', status: 500, durationMs: 1, upstreamRequestId: null, usage: null }
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
const UNSTORABLE = /[\0\x1d-\x1f]/g

describe('the line of a receipt', () => {
  test('has its fields where earlier versions had them: their journals are still to be read (OPS-1)', () => {
    expect(RECORD_COLUMN_NAMES.slice(0, EVER_SINCE.length)).toEqual(EVER_SINCE)
  })

  test('from a version that knew fewer columns is stored, with null or 0 in the others (OPS-1)', async () => {
    await withDatabase(async ({ sql }) => {
      const receipt = makeReceipt({ userAgent: 'codex', clientIp: '10.0.0.1' })
      const shorter = receiptLine(receipt).split('\x1f').slice(0, -5).join('\x1f')
      expect(await insertReceiptLines(sql, [shorter], { timeZone: 'UTC' })).toEqual({
        inserted: [receipt.id],
        rejected: [],
      })
      const [row] = await sql`select user_agent, client_ip, service_tier, model, cache_saving_nano from usage_records`
      expect(row).toEqual({
        user_agent: null,
        client_ip: null,
        service_tier: null,
        model: 'gpt-5',
        cache_saving_nano: 0n,
      })
    })
  })

  test('whatever is in its texts comes back, but for what no database stores; fields never run together (OPS-11)', async () => {
    await withDatabase(async ({ sql }) => {
      const text = fc.string({
        unit: fc.oneof(fc.constantFrom('\0', '\x1d', '\x1e', '\x1f', '\\', '"', '\n', '\ud800', '€'), fc.string()),
      })
      const texts = fc.record({
        model: text,
        endpoint: text,
        errorMessage: text,
        userAgent: fc.option(text),
        reason: text,
      })
      await fc.assert(
        fc.asyncProperty(fc.array(texts, { minLength: 1, maxLength: 5 }), async (many) => {
          const receipts = many.map(({ reason, ...fields }, index) =>
            makeReceipt({
              ...fields,
              createdAtMs: NOON + index,
              attempts: [{ ...ATTEMPT, reason }],
            }),
          )
          const { inserted, rejected } = await insertReceiptLines(sql, receipts.map(receiptLine), { timeZone: 'UTC' })
          expect([inserted.length, rejected]).toEqual([receipts.length, []])
          const rows =
            await sql`select model, endpoint, error_message, user_agent from usage_records where id in ${sql(inserted)} order by created_at`
          const stored = (value: string | null, length = 2000) =>
            value?.slice(0, length).replace(UNSTORABLE, '').toWellFormed() ?? null
          expect([...rows]).toEqual(
            receipts.map((receipt) => ({
              model: stored(receipt.model, 256),
              endpoint: stored(receipt.endpoint),
              error_message: stored(receipt.errorMessage),
              user_agent: stored(receipt.userAgent),
            })),
          )
        }),
        { numRuns: 60 },
      )
    })
  })

  test('texts are cut at their column’s length and no sooner, plain or not (OPS-11)', () => {
    for (const [column, most] of [
      ['model', 256],
      ['user_agent', 2000],
    ] as const) {
      for (const sign of ['a', '€', '\u007f']) {
        const lengths = [most - 1, most, most + 1].map((length) => {
          const text = sign.repeat(length)
          return fieldsOf(receiptLine(makeReceipt({ model: text, userAgent: text })))[column]?.length
        })
        expect(lengths).toEqual([most - 1, most, most])
      }
    }
  })

  test.each([
    ['of a request that used something', { usage: { ...NO_USAGE, cacheRead: 3 } }],
    ['of one that had a price of its own', { costNano: 12n }],
    ['of one that was charged', { chargedNano: 34n }],
    ['of one that used nothing', { userId: null, keyId: null, billingType: 'none' as const }],
  ])('%s tells the counters what the receipt itself would have told them (BIL-8)', (_name, over) => {
    const ids = { userId: crypto.randomUUID(), keyId: crypto.randomUUID(), subscriptionId: crypto.randomUUID() }
    const receipt = makeReceipt({
      ...ids,
      billingType: 'subscription',
      usage: NO_USAGE,
      costNano: 0n,
      chargedNano: 0n,
      ...over,
    })
    expect(recordedInLine(receiptLine(receipt))).toEqual(recordedOf(receipt))
    expect(recordedOf(receipt).usedNothing).toBe(receipt.userId === null)
  })

  test('says its times to the millisecond, whatever was written before (USE-1)', () => {
    const times = fc.record({
      second: fc.integer({ min: 0, max: 4_000_000_000 }),
      ms: fc.integer({ min: 0, max: 999 }),
    })
    fc.assert(
      fc.property(fc.array(times, { minLength: 1, maxLength: 4 }), (many) => {
        for (const { second, ms } of [...many, ...many]) {
          const createdAtMs = second * 1000 + ms
          const fields = fieldsOf(receiptLine(makeReceipt({ createdAtMs, finishedAtMs: createdAtMs + 1 })))
          expect(fields.created_at).toBe(new Date(createdAtMs).toISOString())
          expect(fields.finished_at).toBe(new Date(createdAtMs + 1).toISOString())
        }
      }),
    )
  })

  test('can be read by a person: every field that is there, by its name (OPS-1)', () => {
    const fields = fieldsOf(receiptLine(makeReceipt({ model: 'm', errorMessage: null })))
    expect(fields).toMatchObject({ model: 'm', status: 'completed', total_tokens: '0', attempts: '[]' })
    expect(fields).not.toHaveProperty('error_message')
  })
})
