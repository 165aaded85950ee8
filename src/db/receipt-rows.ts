/**
 * Receipts → the JSON from which Postgres makes usage rows (`json_to_recordset`): one text parameter however many rows, at a
 * fraction of the cost of binding 47 values each.
 */
import type { Receipt } from '../core/receipt.ts'
import { totalTokens } from '../core/usage.ts'
import { partsOf } from '../schema/token-parts.ts'
import { cleanText } from './page.ts'

/** Columns of usage_records in the order of the insert, with the types that the JSON's values are read as. */
export const RECORD_COLUMNS = [
  ['id', 'uuid'],
  ['created_at', 'timestamptz'],
  ['finished_at', 'timestamptz'],
  ['user_id', 'uuid'],
  ['key_id', 'uuid'],
  ['account_id', 'uuid'],
  ['group_id', 'uuid'],
  ['subscription_id', 'uuid'],
  ['platform', 'text'],
  ['protocol', 'text'],
  ['endpoint', 'text'],
  ['model', 'text'],
  ['upstream_model', 'text'],
  ['input_tokens', 'bigint'],
  ['output_tokens', 'bigint'],
  ['cache_read_tokens', 'bigint'],
  ['cache_write_5m_tokens', 'bigint'],
  ['cache_write_1h_tokens', 'bigint'],
  ['reasoning_tokens', 'bigint'],
  ['total_tokens', 'bigint'],
  ['token_parts', 'jsonb'],
  ['iterations', 'jsonb'],
  ['input_cost_nano', 'bigint'],
  ['output_cost_nano', 'bigint'],
  ['cache_write_cost_nano', 'bigint'],
  ['cache_read_cost_nano', 'bigint'],
  ['request_cost_nano', 'bigint'],
  ['cost_nano', 'bigint'],
  ['charged_nano', 'bigint'],
  ['upstream_cost_nano', 'bigint'],
  ['cache_saving_nano', 'bigint'],
  ['cache_surcharge_nano', 'bigint'],
  ['priced', 'boolean'],
  ['price_used', 'jsonb'],
  ['metering', 'text'],
  ['billing_type', 'text'],
  ['stream', 'boolean'],
  ['status', 'text'],
  ['http_status', 'integer'],
  ['error_code', 'text'],
  ['error_message', 'text'],
  ['upstream_request_id', 'text'],
  ['duration_ms', 'integer'],
  ['first_token_ms', 'integer'],
  ['attempts', 'jsonb'],
  ['choice', 'jsonb'],
  ['service_tier', 'text'],
  ['uplifts', 'jsonb'],
  ['user_agent', 'text'],
  ['client_ip', 'text'],
] as const

type Column = (typeof RECORD_COLUMNS)[number][0]

/** A model's name is part of keys of indexes, which hold 2,700 bytes at most; no real one comes near this. */
const MODEL_LENGTH = 256
const TEXT_LENGTH = 2000

export function recordsJson(receipts: readonly Receipt[]): string {
  const rows = receipts.map(recordOf)
  const json = JSON.stringify(rows)
  // What Postgres cannot store shows as an escape in the JSON: look for it there, once, instead of in every text.
  if (!json.includes('\\u0000') && !json.includes('\\ud')) return json
  return JSON.stringify(rows, (_key, value) => (typeof value === 'string' ? cleanText(value) : value))
}

/** What is null is left out: most columns that may be null are, and a shorter JSON is a faster one. */
function recordOf(receipt: Receipt): Record<Column, unknown> {
  const { usage, costs } = receipt
  return {
    id: receipt.id,
    created_at: new Date(receipt.createdAtMs),
    finished_at: new Date(receipt.finishedAtMs),
    user_id: receipt.userId ?? undefined,
    key_id: receipt.keyId ?? undefined,
    account_id: receipt.accountId ?? undefined,
    group_id: receipt.groupId ?? undefined,
    subscription_id: receipt.subscriptionId ?? undefined,
    platform: receipt.platform,
    protocol: receipt.protocol,
    endpoint: receipt.endpoint.slice(0, TEXT_LENGTH),
    model: receipt.model.slice(0, MODEL_LENGTH),
    upstream_model: receipt.upstreamModel?.slice(0, MODEL_LENGTH),
    input_tokens: usage.input,
    output_tokens: usage.output,
    cache_read_tokens: usage.cacheRead,
    cache_write_5m_tokens: usage.cacheWrite5m,
    cache_write_1h_tokens: usage.cacheWrite1h,
    reasoning_tokens: usage.reasoning,
    total_tokens: totalTokens(usage),
    token_parts: partsOf(usage) ?? undefined,
    iterations: receipt.iterations ?? undefined,
    input_cost_nano: String(costs.inputNano),
    output_cost_nano: String(costs.outputNano),
    cache_write_cost_nano: String(costs.cacheWriteNano),
    cache_read_cost_nano: String(costs.cacheReadNano),
    request_cost_nano: String(costs.requestNano),
    cost_nano: String(costs.totalNano),
    charged_nano: String(costs.chargedNano),
    upstream_cost_nano: String(costs.upstreamNano),
    cache_saving_nano: String(costs.cacheSavingNano),
    cache_surcharge_nano: String(costs.cacheSurchargeNano),
    priced: receipt.priced,
    price_used: receipt.priceUsed ?? undefined,
    metering: receipt.metering,
    billing_type: receipt.billingType,
    stream: receipt.stream,
    status: receipt.status,
    http_status: receipt.httpStatus ?? undefined,
    error_code: receipt.errorCode ?? undefined,
    error_message: receipt.errorMessage?.slice(0, TEXT_LENGTH),
    upstream_request_id: receipt.upstreamRequestId?.slice(0, TEXT_LENGTH),
    duration_ms: receipt.durationMs,
    first_token_ms: receipt.firstTokenMs ?? undefined,
    attempts: receipt.attempts,
    choice: receipt.choice ?? undefined,
    service_tier: receipt.serviceTier ?? undefined,
    uplifts: receipt.uplifts.length > 0 ? receipt.uplifts : undefined,
    user_agent: receipt.userAgent?.slice(0, TEXT_LENGTH),
    client_ip: receipt.clientIp ?? undefined,
  }
}
