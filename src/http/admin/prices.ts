/** `/admin/prices` (BIL-2): set prices, look-ups, quotes, refresh. */
import { type Static, Type } from '@sinclair/typebox'
import type { PricesAdmin } from '../../admin/prices.ts'
import { type Fault, invalid, isFault } from '../../core/fault.ts'
import { PLATFORMS } from '../../core/platform.ts'
import { PROTOCOLS, USAGE_READERS } from '../../protocols/table.ts'
import type { UsageReport } from '../../protocols/usage-report.ts'
import { oneOf } from '../../schema/field.ts'
import {
  PriceRefreshBody,
  PriceRefreshView,
  QuoteBody,
  QuoteView,
  ResolvedPriceView,
  showQuote,
  showResolvedPrice,
  toUsage,
} from '../../schema/price-views.ts'
import { PricePut, PriceView } from '../../schema/prices.ts'
import { problem } from '../answer.ts'
import { type Call, call } from './call.ts'
import { listAnswer, listQuery, showPage, toPageQuery } from './lists.ts'

const tag = 'Prices'
const path = '/admin/prices'
const platform = Type.Optional(oneOf(PLATFORMS, { description: 'On this platform' }))
const accountId = Type.Optional(Type.String({ maxLength: 36, description: 'Of this account' }))

export function priceCalls(prices: PricesAdmin): Call[] {
  return [
    listCall(prices),
    resolveCall(prices),
    quoteCall(prices),
    refreshCall(prices),
    putCall(prices),
    deleteCall(prices),
  ]
}

function listCall(prices: PricesAdmin): Call {
  return call({
    method: 'GET',
    path,
    tag,
    summary: 'List set prices',
    description: 'What operators set, newest first; of the built-in table one price at a time, by `resolve` (BIL-2).',
    query: listQuery({ model: Type.Optional(Type.String({ maxLength: 300, description: 'Exactly this model' })) }),
    status: 200,
    answer: listAnswer('Price', PriceView.schema),
    problems: [],
    handle: ({ query }) => showPage(prices.list({ ...toPageQuery(query), model: query.model }), PriceView.show),
  })
}

function resolveCall(prices: PricesAdmin): Call {
  const model = Type.String({
    minLength: 1,
    maxLength: 300,
    description: 'Model as a client names it',
    example: 'gpt-4o',
  })
  return call({
    method: 'GET',
    path: `${path}/resolve`,
    tag,
    summary: 'Look up the price of a model',
    description: 'Account’s own → operator’s → built-in table; 404: a request for it would be unpriced (BIL-2, BIL-3).',
    query: Type.Object({ model, platform, account_id: accountId }, { additionalProperties: false }),
    status: 200,
    answer: ResolvedPriceView,
    problems: [404],
    handle: async ({ query }) => {
      const { model, platform = null, account_id: accountId = null } = query
      const price = await prices.resolve({ model, platform, accountId })
      return price ? showResolvedPrice(price) : problem(404, 'unpriced', 'no price is known for this model', 'model')
    },
  })
}

function quoteCall(prices: PricesAdmin): Call {
  return call({
    method: 'POST',
    path: `${path}/quote`,
    tag,
    summary: 'Work out what a usage costs',
    description:
      'At list price, in parts, by the prices of now (BIL-6). Give `usage` (the token fields of a usage record), or `protocol` and `provider_usage` (the usage object as the provider sent it, BIL-1).',
    body: QuoteBody,
    bodyExample: {
      model: 'claude-sonnet-4-5',
      platform: 'anthropic',
      usage: { input_tokens: 1200, output_tokens: 340 },
    },
    readOnly: true,
    status: 200,
    answer: QuoteView.schema,
    problems: [],
    handle: async ({ body }) => {
      const report = readUsage(body)
      if (isFault(report)) return report
      const { usage, iterations, uplifts } = report
      const { model, protocol, account_id: accountId = null } = body
      // As a request of that protocol would be priced.
      const platform = body.platform ?? (protocol ? PROTOCOLS[protocol].platform : null)
      const serviceTier = body.service_tier ?? report.serviceTier
      const costed = await prices.quote({ model, platform, accountId, usage, iterations, serviceTier, uplifts })
      return showQuote(usage, iterations, costed)
    },
  })
}

/** One of the two ways to say what was used. */
function readUsage({ usage, protocol, provider_usage: sent }: Static<typeof QuoteBody>): UsageReport | Fault {
  if (sent === undefined) {
    if (usage === undefined) return invalid('usage', 'give usage, or protocol and provider_usage')
    return { usage: toUsage(usage), iterations: null, serviceTier: null, uplifts: [] }
  }
  if (usage !== undefined) return invalid('provider_usage', 'give usage or provider_usage, not both')
  if (protocol === undefined) return invalid('protocol', 'say which protocol provider_usage is of')
  const report = USAGE_READERS[protocol](sent)
  return report ?? invalid('provider_usage', `provider_usage holds no token count that ${protocol} knows`)
}

function refreshCall(prices: PricesAdmin): Call {
  return call({
    method: 'POST',
    path: `${path}/refresh`,
    tag,
    summary: 'Replace the price table',
    description:
      'Reads a table in LiteLLM’s format from a file or URL and puts it in the place of the built-in one, on every instance and for good; rows that look wrong are refused and told. Set prices stay (BIL-2, OPS-10). The body may be empty.',
    body: PriceRefreshBody,
    bodyMayBeEmpty: true,
    status: 200,
    answer: PriceRefreshView,
    problems: [],
    handle: ({ actor, body }) => prices.refresh(actor, body),
  })
}

function putCall(prices: PricesAdmin): Call {
  return call({
    method: 'PUT',
    path: `${path}/:model`,
    tag,
    summary: 'Set the price of a model',
    description:
      'USD per million tokens. The name may end in `*`; a slash in it is written `%2F`. The same model, platform, account and `effective_from` replaces the row; requests before `effective_from` keep the price that was in force (BIL-2).',
    body: PricePut.schema,
    bodyExample: { rates: { input_usd: 3, output_usd: 15 }, note: 'Provider’s price page, July' },
    status: 200,
    answer: PriceView.schema,
    problems: [409],
    handle: async ({ actor, id, body }) => {
      const row = await prices.put(actor, id, body)
      return row === null || isFault(row) ? row : PriceView.show(row)
    },
  })
}

function deleteCall(prices: PricesAdmin): Call {
  return call({
    method: 'DELETE',
    path: `${path}/:model`,
    tag,
    summary: 'Take a set price away',
    description:
      'All dated rows of the model, or only those of a platform or account. The next source holds again (BIL-2).',
    query: Type.Object({ platform, account_id: accountId }, { additionalProperties: false }),
    status: 204,
    problems: [404],
    handle: ({ actor, id, query }) =>
      prices.remove(actor, id, { platform: query.platform, accountId: query.account_id }),
  })
}
