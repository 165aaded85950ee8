import { describe, expect, test } from 'bun:test'
import { type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { RATE_NAMES } from '../../src/core/price.ts'
import { toWirePrice } from '../../src/core/price-wire.ts'
import { AccountCreate, AccountPatch, AccountView } from '../../src/schema/account-views.ts'
import { AdminTokenCreate, AdminTokenView } from '../../src/schema/admin-tokens.ts'
import { ApiKeyCreate, ApiKeyPatch, ApiKeyView } from '../../src/schema/api-key-views.ts'
import { AuditView } from '../../src/schema/audit-log.ts'
import { GroupCreate, GroupPatch, GroupView } from '../../src/schema/groups.ts'
import { BalanceChange, LedgerEntryView } from '../../src/schema/ledger-entries.ts'
import { PricePut, PriceRates, PriceView } from '../../src/schema/prices.ts'
import { ProxyCreate, ProxyPatch, ProxyView } from '../../src/schema/proxies.ts'
import { SubscriptionCreate, SubscriptionPatch, SubscriptionView } from '../../src/schema/subscriptions.ts'
import { RequestView, UsageRecordView } from '../../src/schema/usage-record-views.ts'
import { UserCreate, UserPatch, UserView } from '../../src/schema/users.ts'

const views = {
  AccountView,
  AdminTokenView,
  ApiKeyView,
  AuditView,
  GroupView,
  LedgerEntryView,
  PriceView,
  ProxyView,
  RequestView,
  SubscriptionView,
  UsageRecordView,
  UserView,
}
const patches = { AccountPatch, ApiKeyPatch, GroupPatch, ProxyPatch, SubscriptionPatch, UserPatch }
const creates = {
  AccountCreate,
  AdminTokenCreate,
  ApiKeyCreate,
  BalanceChange,
  GroupCreate,
  PricePut,
  ProxyCreate,
  SubscriptionCreate,
  UserCreate,
}
const all = Object.entries({ ...views, ...patches, ...creates }) as [string, { schema: TSchema }][]

describe('what the API shows and takes', () => {
  test.each(all)(
    'every field of %s has a description and an example that its own schema accepts (OPS-12)',
    (_name, { schema }) => {
      for (const [name, field] of Object.entries(schema.properties as Record<string, TSchema>)) {
        expect(field.description, name).toBeString()
        if (name === 'credentials' && !('example' in field)) continue
        expect(field, name).toHaveProperty('example')
        expect(Value.Check(field, field.example), `example of ${name}`).toBe(true)
      }
    },
  )

  test.each(all)('%s refuses a field that it does not know (contract)', (_name, { schema }) => {
    const example = Object.fromEntries(
      Object.entries(schema.properties as Record<string, TSchema>).map(([name, field]) => [name, field.example]),
    )
    if ('credentials' in example) example.credentials ??= { api_key: 'sk-1' }
    expect(Value.Check(schema, example)).toBe(true)
    expect(Value.Check(schema, { ...example, colour: 'red' })).toBe(false)
  })

  test.each(Object.entries(patches))(
    'an empty %s is refused, and so is every counter in it (KEY-10)',
    (_name, { schema }) => {
      expect(Value.Check(schema, {})).toBe(false)
      for (const counter of [
        'request_count',
        'used_usd',
        'cost_usd',
        'total_tokens',
        'last_used_at',
        'created_at',
        'id',
      ])
        expect(Value.Check(schema, { [counter]: 1 })).toBe(false)
    },
  )

  test('no view shows a secret, sealed or hashed (ACC-8, KEY-1)', () => {
    for (const { schema } of Object.values(views))
      for (const name of Object.keys(schema.properties))
        expect(name).not.toMatch(/sealed|hash|password|secret|^token$|^api_key$/)
  })

  test('a usage record has every field that the contract names (contract)', () => {
    const promised = `id user_id key_id account_id group_id subscription_id protocol endpoint model upstream_model input_tokens
      output_tokens cache_read_tokens cache_write_5m_tokens cache_write_1h_tokens reasoning_tokens total_tokens
      input_cost_usd output_cost_usd cache_write_cost_usd cache_read_cost_usd request_cost_usd cost_usd charged_usd
      upstream_cost_usd priced metering billing_type stream status http_status error_code error_message
      upstream_request_id duration_ms first_token_ms attempts service_tier user_agent created_at finished_at`
    expect(Object.keys(UsageRecordView.schema.properties)).toEqual(expect.arrayContaining(promised.split(/\s+/)))
  })

  test('an API key takes every field of KEY-5 (KEY-5)', () => {
    const settable = `name description user_id group_id tags active expires_at expires_after_days permissions token_limit
      concurrency_limit rate_limit_window rate_limit_requests rate_limit_tokens rate_limit_cost_usd rpm tpm
      daily_cost_limit_usd weekly_cost_limit_usd total_cost_limit_usd model_restriction models client_restriction
      clients ip_allow ip_deny bound_accounts standalone balance_usd`
    for (const { schema } of [ApiKeyCreate, ApiKeyPatch])
      expect(Object.keys(schema.properties)).toEqual(expect.arrayContaining(settable.split(/\s+/)))
  })

  test('the account of the contract’s example is taken, and read into columns (contract)', () => {
    const body = {
      name: 'openai-1',
      platform: 'openai' as const,
      type: 'api_key' as const,
      credentials: { api_key: 'sk-1', base_url: 'http://localhost:1' },
      priority: 50,
      concurrency: 0,
      group_ids: [],
      model_mapping: {},
      proxy_id: null,
      rate_multiplier: 1,
      custom_error_codes: null,
    }
    expect(Value.Check(AccountCreate.schema, body)).toBe(true)
    expect(AccountCreate.read(body)).toEqual({
      name: 'openai-1',
      platform: 'openai',
      type: 'api_key',
      priority: 50,
      concurrency: 0,
      groupIds: [],
      modelMapping: {},
      proxyId: null,
      rateMultiplier: 1_000_000,
      customErrorCodes: null,
    })
  })

  test('a body that names a field with a value that makes no sense is a fault naming it (contract)', () => {
    expect(UserCreate.read({ email: 'a@b.c', balance_usd: 0.00000000001 })).toMatchObject({ field: 'balance_usd' })
  })

  test('every price that core can compute with can be written on the wire, and is taken (BIL-2)', () => {
    const rates = Object.fromEntries(RATE_NAMES.map((name) => [name, 1_000_000_000]))
    const everything = {
      rates: rates as never,
      perRequestNano: 1,
      perWebSearchNano: 1,
      serviceTiers: { flex: rates, priority: rates, batch: rates },
    }
    const wire = toWirePrice({
      ...everything,
      contextTiers: [{ aboveTokens: 200_000, rates, serviceTiers: { batch: rates } }],
    })
    expect([...Value.Errors(PriceRates, wire)]).toEqual([])
    expect(Value.Check(PriceRates, { ...wire, colour_usd: 1 })).toBe(false)
  })

  test('there is one TypeBox: schemas made here are those that the web framework checks', async () => {
    const framework = await import('elysia')
    expect(Object.getOwnPropertySymbols(framework.t.String())).toEqual(Object.getOwnPropertySymbols(Type.String()))
    expect(Value.Check(framework.t.Object({ name: Type.String() }), { name: 'x' })).toBe(true)
  })
})
