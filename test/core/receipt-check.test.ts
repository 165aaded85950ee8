import { describe, expect, test } from 'bun:test'
import { NO_COSTS, type Receipt } from '../../src/core/receipt.ts'
import { findIllegalField } from '../../src/core/receipt-check.ts'
import { NO_USAGE } from '../../src/core/usage.ts'
import { makeReceipt } from '../support/receipts.ts'

describe('illegal values of a receipt', () => {
  test('a believable receipt has none (USE-2)', () => {
    expect(findIllegalField(makeReceipt({ costNano: 5n, usage: { input: 3 } }))).toBeNull()
    expect(findIllegalField(makeReceipt({ httpStatus: null, firstTokenMs: null }))).toBeNull()
    expect(findIllegalField(makeReceipt({ httpStatus: 100 }))).toBeNull()
    const dearCache = { ...makeReceipt(), costs: { ...NO_COSTS, cacheSavingNano: -5n, cacheSurchargeNano: -1n } }
    expect(findIllegalField(dearCache)).toBeNull()
    expect(findIllegalField(makeReceipt({ httpStatus: 599 }))).toBeNull()
  })

  const illegal: [field: string, why: string, change: Partial<Record<keyof Receipt, unknown>>][] = [
    ['usage.input', 'negative', { usage: { ...NO_USAGE, input: -1 } }],
    ['usage.output', 'a fraction', { usage: { ...NO_USAGE, output: 1.5 } }],
    ['usage.cacheRead', 'not a number', { usage: { ...NO_USAGE, cacheRead: Number.NaN } }],
    ['usage.reasoning', 'infinite', { usage: { ...NO_USAGE, reasoning: Number.POSITIVE_INFINITY } }],
    ['duration_ms', 'negative', { durationMs: -1 }],
    ['duration_ms', 'beyond 24 days', { durationMs: 2 ** 31 }],
    ['first_token_ms', 'negative', { firstTokenMs: -5 }],
    ['created_at', 'not a number', { createdAtMs: Number.NaN }],
    ['finished_at', 'negative', { finishedAtMs: -1 }],
    ['http_status', '99', { httpStatus: 99 }],
    ['http_status', '600', { httpStatus: 600 }],
    ['http_status', 'a fraction', { httpStatus: 200.5 }],
    ['status', 'an unknown word', { status: 'done' }],
    ['status', 'pending: not an end', { status: 'pending' }],
    ['status', 'streaming: not an end', { status: 'streaming' }],
    ['metering', 'an unknown word', { metering: 'guessed' }],
    ['billing_type', 'an unknown word', { billingType: 'cash' }],
    ['costs.inputNano', 'negative', { costs: { ...NO_COSTS, inputNano: -1n } }],
    ['costs.chargedNano', 'ten million dollars', { costs: { ...NO_COSTS, chargedNano: 10n ** 16n } }],
    ['costs.totalNano', 'not the sum of its parts', { costs: { ...NO_COSTS, inputNano: 1n, totalNano: 2n } }],
  ]
  test.each(illegal)('%s is named when it is %s (USE-2)', (field, _why, change) => {
    expect(findIllegalField({ ...makeReceipt(), ...change } as Receipt)).toBe(field)
  })
})
