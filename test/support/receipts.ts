/** Receipts for tests: a believable one, of which each test names only what it is about. */
import { type Costs, NO_COSTS, type Receipt } from '../../src/core/receipt.ts'
import { NO_USAGE, type Usage } from '../../src/core/usage.ts'
import { newId } from '../../src/lib/ids.ts'

export const NOON = Date.UTC(2026, 6, 24, 12)

export interface ReceiptParts extends Partial<Omit<Receipt, 'usage' | 'costs'>> {
  usage?: Partial<Usage>
  /** List price, all of it for input. */
  costNano?: bigint
  chargedNano?: bigint
  cacheSavingNano?: bigint
  cacheSurchargeNano?: bigint
}

export function makeReceipt(parts: ReceiptParts = {}): Receipt {
  const { usage, costNano = 0n, chargedNano = 0n, cacheSavingNano = 0n, cacheSurchargeNano = 0n, ...rest } = parts
  const createdAtMs = rest.createdAtMs ?? NOON
  const caching = { cacheSavingNano, cacheSurchargeNano }
  const list = { inputNano: costNano, totalNano: costNano, upstreamNano: costNano }
  const costs: Costs = { ...NO_COSTS, ...list, ...caching, chargedNano }
  return {
    id: newId(createdAtMs),
    userId: null,
    keyId: null,
    accountId: null,
    groupId: null,
    subscriptionId: null,
    platform: 'openai',
    protocol: 'openai-responses',
    endpoint: '/v1/responses',
    model: 'gpt-5',
    upstreamModel: 'gpt-5-2026-05-01',
    usage: { ...NO_USAGE, ...usage },
    iterations: null,
    costs,
    priced: true,
    priceUsed: null,
    metering: 'measured',
    billingType: 'none',
    stream: true,
    status: 'completed',
    httpStatus: 200,
    errorCode: null,
    errorMessage: null,
    upstreamRequestId: 'req_1',
    durationMs: 1200,
    firstTokenMs: 300,
    attempts: [],
    choice: null,
    serviceTier: null,
    uplifts: [],
    userAgent: 'codex_cli_rs/0.50.0',
    clientIp: null,
    createdAtMs,
    finishedAtMs: createdAtMs + 1200,
    ...rest,
  }
}
