/** Prices as an operator works with them (BIL-2): what they set themselves, what a model's name leads to, what a usage would cost. */
import type { Static } from '@sinclair/typebox'
import { type Costed, computeCosts } from '../core/cost.ts'
import { type Fault, invalid, isFault } from '../core/fault.ts'
import type { Platform } from '../core/platform.ts'
import { type ResolvedPrice, resolvePrice } from '../core/price-index.ts'
import type { IterationUsage, Usage } from '../core/usage.ts'
import type { Db } from '../db/client.ts'
import type { PageQuery } from '../db/page.ts'
import { deletePricesByModel, listPrices, upsertPrice } from '../db/prices.ts'
import { PricePut, type PriceRow } from '../schema/prices.ts'
import type { Actor } from './actor.ts'
import { createPriceRefresh, type PriceRefreshDeps } from './price-refresh.ts'
import { write } from './write.ts'

export type PricesAdmin = ReturnType<typeof createPricesAdmin>

export interface PriceQuestion {
  model: string
  /** Null: not known. */
  platform: Platform | null
  /** Null: of no account in particular. */
  accountId: string | null
}

export interface QuoteQuestion extends PriceQuestion {
  usage: Usage
  iterations: IterationUsage[] | null
  serviceTier: string | null
  uplifts: readonly string[]
}

/** As long as a name can be that requests are recorded under (db/receipt-rows). */
const MODEL_LENGTH = 256
const ONE = 1_000_000

export function createPricesAdmin(deps: PriceRefreshDeps) {
  const { db, clock } = deps

  async function resolver({ platform, accountId }: Omit<PriceQuestion, 'model'>) {
    const book = (await deps.prices()).bookFor(accountId)
    return (model: string) => resolvePrice(book, { model, platform, atMs: clock.nowMs() })
  }

  return {
    list: (query: PageQuery & { model?: string }) => listPrices(db, query),

    async put(actor: Actor, model: string, body: Static<typeof PricePut.schema>): Promise<PriceRow | Fault | null> {
      if (model.length > MODEL_LENGTH) return invalid('model', `model has more than ${MODEL_LENGTH} characters`)
      const columns = PricePut.read(body)
      if (isFault(columns)) return columns
      const work = (transaction: Db) => upsertPrice(transaction, { ...columns, model }, new Date(clock.nowMs()))
      return write(deps, { actor, verb: 'put', kind: 'price', changes: body, work, idOf: (row) => row.model })
    },

    remove(
      actor: Actor,
      model: string,
      only: { platform?: Platform; accountId?: string },
    ): Promise<true | Fault | null> {
      const work = async (transaction: Db) => (await deletePricesByModel(transaction, model, only)) > 0 || null
      return write(deps, { actor, verb: 'delete', kind: 'price', changes: only, work, idOf: () => model })
    },

    /** Null: the model has no price. */
    async resolve(question: PriceQuestion): Promise<ResolvedPrice | null> {
      return (await resolver(question))(question.model)
    },

    /** At list price: what a request that used this would be recorded with now. */
    async quote({ usage, iterations, serviceTier, uplifts, ...question }: QuoteQuestion): Promise<Costed> {
      const priceOf = await resolver(question)
      const price = priceOf(question.model)
      const multipliers = { groupMultiplier: ONE, accountMultiplier: ONE, freeTier: false }
      const said = { usage, iterations, serviceTier, uplifts }
      return computeCosts({ ...said, price, priceOf, ...multipliers, failed: false })
    },

    refresh: createPriceRefresh(deps),
  }
}
