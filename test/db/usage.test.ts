import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Receipt } from '../../src/core/receipt.ts'
import { NO_USAGE } from '../../src/core/usage.ts'
import { insertReceipts } from '../../src/db/receipts.ts'
import { findUsageRecordById, listUsageRecords, type UsageFilter } from '../../src/db/usage.ts'
import { newId } from '../../src/lib/ids.ts'
import { RequestView, UsageRecordView } from '../../src/schema/usage-record-views.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { makeReceipt, NOON } from '../support/receipts.ts'
import { granted } from '../support/seed.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const HOUR = 3_600_000
const insert = (receipts: Receipt[]) => insertReceipts(database.sql, receipts, { timeZone: 'UTC' })

describe('one request', () => {
  test('is kept whole: every field of its receipt is shown again (USE-1, ACC-17, BIL-6)', async () => {
    const ids = Array.from({ length: 5 }, () => newId(NOON))
    const receipt: Receipt = {
      ...makeReceipt({
        usage: {
          input: 10,
          output: 5,
          cacheRead: 3,
          cacheWrite5m: 2,
          cacheWrite1h: 1,
          reasoning: 4,
          inputAudio: 6,
          webSearches: 2,
        },
      }),
      userId: ids[0] ?? null,
      keyId: ids[1] ?? null,
      accountId: ids[2] ?? null,
      groupId: ids[3] ?? null,
      subscriptionId: ids[4] ?? null,
      costs: {
        inputNano: 1n,
        outputNano: 2n,
        cacheWriteNano: 3n,
        cacheReadNano: 4n,
        requestNano: 5n,
        totalNano: 15n,
        chargedNano: 30n,
        upstreamNano: 7n,
        cacheSavingNano: 36n,
        cacheSurchargeNano: -1n,
      },
      priceUsed: {
        model: 'gpt-5',
        match: 'exact',
        source: 'built-in',
        date: '2026-07-24',
        serviceTier: 'flex',
        aboveTokens: 0,
        uplift: 1_000_000,
        rates: { input: 1_250_000_000, cacheRead: 125_000_000 },
        groupMultiplier: 2_000_000,
        accountMultiplier: 500_000,
        perRequestNano: 5,
        perWebSearchNano: 10_000_000,
        iterations: [null],
      },
      iterations: [{ model: 'other', usage: { ...NO_USAGE, output: 9 } }],
      metering: 'partly_estimated',
      billingType: 'subscription',
      status: 'failed',
      httpStatus: 502,
      errorCode: 'upstream_failed',
      errorMessage: 'it broke',
      attempts: [
        {
          accountId: 'a',
          status: 429,
          durationMs: 5,
          reason: 'rate_limited',
          upstreamRequestId: 'r',
          usage: { ...NO_USAGE, input: 1 },
        },
        { accountId: 'b', status: null, durationMs: 9, reason: 'connect_error', upstreamRequestId: null, usage: null },
      ],
      choice: { candidates: 3, passedOver: { cooldown: 2 }, sticky: 'moved' },
      serviceTier: 'flex',
      clientIp: '203.0.113.7',
    }
    await insert([receipt])
    const view = RequestView.show(granted(await findUsageRecordById(database.db, receipt.id)))
    expect(view).toEqual({
      id: receipt.id,
      user_id: ids[0] as string,
      key_id: ids[1] as string,
      key_name: null,
      account_id: ids[2] as string,
      group_id: ids[3] as string,
      subscription_id: ids[4] as string,
      platform: 'openai',
      protocol: 'openai-responses',
      endpoint: '/v1/responses',
      model: 'gpt-5',
      upstream_model: 'gpt-5-2026-05-01',
      input_tokens: 10,
      output_tokens: 5,
      cache_read_tokens: 3,
      cache_write_5m_tokens: 2,
      cache_write_1h_tokens: 1,
      reasoning_tokens: 4,
      total_tokens: 21,
      token_parts: { input_audio_tokens: 6, web_searches: 2 },
      input_cost_usd: 1e-9,
      output_cost_usd: 2e-9,
      cache_write_cost_usd: 3e-9,
      cache_read_cost_usd: 4e-9,
      request_cost_usd: 5e-9,
      cost_usd: 15e-9,
      charged_usd: 30e-9,
      upstream_cost_usd: 7e-9,
      priced: true,
      price_used: {
        model: 'gpt-5',
        match: 'exact',
        source: 'built-in',
        date: '2026-07-24',
        service_tier: 'flex',
        above_tokens: 0,
        uplift: 1,
        rates: { input_usd: 1.25, cache_read_usd: 0.125 },
        group_multiplier: 2,
        account_multiplier: 0.5,
        request_usd: 5e-9,
        web_search_usd: 0.01,
        iterations: [null],
      },
      iterations: [
        {
          model: 'other',
          tokens: expect.objectContaining({ output_tokens: 9, total_tokens: 9 }) as never,
        },
      ],
      metering: 'partly_estimated',
      billing_type: 'subscription',
      stream: true,
      status: 'failed',
      http_status: 502,
      error_code: 'upstream_failed',
      error_message: 'it broke',
      upstream_request_id: 'req_1',
      duration_ms: 1200,
      first_token_ms: 300,
      attempts: [
        {
          account_id: 'a',
          status: 429,
          duration_ms: 5,
          reason: 'rate_limited',
          upstream_request_id: 'r',
          usage: expect.objectContaining({ input_tokens: 1 }) as never,
        },
        {
          account_id: 'b',
          status: null,
          duration_ms: 9,
          reason: 'connect_error',
          upstream_request_id: null,
          usage: null,
        },
      ],
      choice: { candidates: 3, passed_over: { cooldown: 2 }, sticky: 'moved' },
      service_tier: 'flex',
      user_agent: 'codex_cli_rs/0.50.0',
      client_ip: '203.0.113.7',
      created_at: '2026-07-24T12:00:00.000Z',
      finished_at: '2026-07-24T12:00:01.200Z',
    })
  })

  test('one that is not there, or whose id is none, is null (contract)', async () => {
    expect(await findUsageRecordById(database.db, newId(NOON))).toBeNull()
    expect(await findUsageRecordById(database.db, 'no id')).toBeNull()
  })
})

describe('the usage log', () => {
  test('pages go newest first through all records once, also within one millisecond (USE-11)', async () => {
    const own = await freshDatabase()
    const receipts = Array.from({ length: 11 }, (_, index) => makeReceipt({ createdAtMs: NOON + (index % 3) }))
    await insertReceipts(own.sql, receipts, { timeZone: 'UTC' })
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const page: Awaited<ReturnType<typeof listUsageRecords>> = await listUsageRecords(own.db, { limit: 4, cursor })
      const { rows, nextCursor } = granted(page)
      seen.push(...rows.map(({ id }) => id))
      cursor = nextCursor
    } while (cursor !== null)
    const newestFirst = receipts.toSorted((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1))
    expect(seen).toEqual(newestFirst.map(({ id }) => id))
    expect(await listUsageRecords(own.db, { limit: 4, cursor: 'x' })).toMatchObject({ field: 'cursor' })
    await own.drop()
  })

  test('each filter keeps what it names and drops the rest (USE-11)', async () => {
    const [mine, other] = [newId(), newId()]
    const wanted = makeReceipt({
      createdAtMs: NOON + HOUR,
      userId: mine,
      keyId: mine,
      accountId: mine,
      groupId: mine,
      subscriptionId: mine,
      platform: 'gemini',
      model: 'wanted-model',
      status: 'cancelled',
      billingType: 'key',
      stream: false,
      priced: false,
      costNano: 1000n,
    })
    await insert([
      wanted,
      makeReceipt({ userId: other, keyId: other, accountId: other, groupId: other, costNano: 999n }),
    ])
    const filters: UsageFilter[] = [
      { from: new Date(NOON + HOUR), to: new Date(NOON + HOUR + 1) },
      { userId: mine },
      { keyId: mine },
      { accountId: mine },
      { groupId: mine },
      { subscriptionId: mine },
      { platform: 'gemini' },
      { model: 'wanted-model' },
      { status: 'cancelled' },
      { billingType: 'key' },
      { stream: false },
      { priced: false },
      { minCostNano: 1000n },
    ]
    for (const filter of filters) {
      const { rows } = granted(await listUsageRecords(database.db, { limit: 10, ...filter }))
      expect(
        rows.map(({ id }) => id),
        JSON.stringify(Object.keys(filter)),
      ).toEqual([wanted.id])
    }
    expect(granted(await listUsageRecords(database.db, { limit: 10, to: new Date(0) })).rows).toEqual([])
    expect(granted(await listUsageRecords(database.db, { limit: 10, userId: 'no id' })).rows).toEqual([])
    const [row] = granted(await listUsageRecords(database.db, { limit: 1, keyId: mine })).rows
    expect(UsageRecordView.show(granted(row))).toMatchObject({ id: wanted.id, status: 'cancelled', cost_usd: 1e-6 })
  })
})
