/**
 * Price rows made ready to be asked: which row prices this model, there, then (BIL-2)?
 *
 * An index is immutable: a changed price makes a new one. Rows of one model are dated; the newest that had begun prices a request,
 * and the oldest also prices what came before it (a clock that is behind must not make a model unpriced).
 * What a name resolves to is remembered in a bounded map, so that a name seen before costs one look-up.
 */
import { getOrAdd } from '../lib/get-or-add.ts'
import { compileMapping } from './model-mapping.ts'
import { priceNames } from './model-name.ts'
import type { Platform } from './platform.ts'
import type { PriceRow } from './price.ts'
import { VENDOR_ORDER, VENDORS_OF_PLATFORM } from './price-vendors.ts'

export interface PriceQuery {
  model: string
  /** Null: not known (a quote without one). */
  platform: Platform | null
  /** Whose list the account buys from, where that is known ("groq"); breaks ties between vendors of one name. */
  vendor?: string | null
  atMs: number
}

export interface ResolvedPrice {
  row: PriceRow
  /** How the name was found; kept in the record. */
  match: 'exact' | 'normalised' | 'wildcard'
  /** Whether Anthropic's cache defaults apply (BIL-4). */
  anthropic: boolean
}

export interface PriceIndex {
  find(query: PriceQuery): ResolvedPrice | null
  readonly rows: readonly PriceRow[]
}

export interface PriceIndexOptions {
  /**
   * May a row be found by a shorter spelling of *its own* name? True for the built-in table, where "deepseek-chat" means
   * "deepseek/deepseek-chat". False for people's prices: who prices "gpt-4o-2024-05-13" has not priced "gpt-4o".
   */
  aliases: boolean
}

/** Names remembered per index: a client that invents names costs a refill, never memory. */
const MAX_REMEMBERED = 4096
const MAX_REMEMBERED_LENGTH = 200

/** A row and the moment it begins. */
interface Dated {
  row: PriceRow
  fromMs: number
}
/** What a name leads to: the prices of one model, newest first. */
type Found = readonly { fromMs: number; price: ResolvedPrice }[]

export function createPriceIndex(rows: readonly PriceRow[], options: PriceIndexOptions): PriceIndex {
  const byName = groupByName(rows)
  const wildcard = compileWildcards(byName)
  let aliases: Map<string, Alias[]> | null = null
  const remembered = createMemory()

  function look(query: PriceQuery): Found | null {
    const exact = atPlatform(byName.get(query.model), query.platform)
    if (exact) return resolved(exact, 'exact', query)
    const names = priceNames(query.model)
    for (const name of names) {
      const dated = atPlatform(byName.get(name), query.platform)
      if (dated) return resolved(dated, 'normalised', query)
    }
    if (options.aliases) {
      aliases ??= collectAliases(rows)
      const alias = findAlias(aliases, names, query)
      if (alias) return resolved(byName.get(alias.model) ?? [], 'normalised', query)
    }
    const pattern = wildcard(query.model)
    const dated = pattern === null ? null : atPlatform(byName.get(pattern), query.platform)
    return dated ? resolved(dated, 'wildcard', query) : null
  }

  return {
    rows,
    find(query) {
      if (rows.length === 0) return null
      const found = remembered.get(query) ?? remembered.put(query, look(query))
      return found === 'none' ? null : inForce(found, query.atMs)
    },
  }
}

/** What names led to: by who asks, then by name, so that no key is put together for a look-up. */
function createMemory() {
  const byAsker = new Map<string, Map<string, Found | 'none'>>()
  let size = 0
  const askerOf = ({ platform, vendor }: PriceQuery) => (vendor ? `${platform} ${vendor}` : (platform ?? ''))
  return {
    get: (query: PriceQuery) => byAsker.get(askerOf(query))?.get(query.model),
    put(query: PriceQuery, looked: Found | null): Found | 'none' {
      const found = looked ?? 'none'
      if (query.model.length > MAX_REMEMBERED_LENGTH) return found
      if (size >= MAX_REMEMBERED) {
        byAsker.clear()
        size = 0
      }
      getOrAdd(byAsker, askerOf(query), () => new Map()).set(query.model, found)
      size++
      return found
    },
  }
}

export interface PriceBook {
  /** Prices of the account that serves the request, or null. */
  account: PriceIndex | null
  operator: PriceIndex
  builtIn: PriceIndex
}

/** Account override → operator's price → built-in table → null (BIL-2). A source is asked for every spelling before the next one is. */
export function resolvePrice(book: PriceBook, query: PriceQuery): ResolvedPrice | null {
  return book.account?.find(query) ?? book.operator.find(query) ?? book.builtIn.find(query)
}

function groupByName(rows: readonly PriceRow[]): Map<string, Dated[]> {
  const byName = new Map<string, Dated[]>()
  for (const row of rows) {
    const dated: Dated = { row, fromMs: Date.parse(row.date) || 0 }
    const list = byName.get(row.model)
    if (list) list.push(dated)
    else byName.set(row.model, [dated])
  }
  for (const list of byName.values()) if (list.length > 1) list.sort((a, b) => b.fromMs - a.fromMs)
  return byName
}

/** The rows that hold on a platform: those made for it before those made for all. */
function atPlatform(list: readonly Dated[] | undefined, platform: Platform | null): readonly Dated[] | null {
  if (list === undefined) return null
  const own = list.filter(({ row }) => row.platform !== null && row.platform === platform)
  const chosen = own.length > 0 ? own : list.filter(({ row }) => row.platform === null)
  return chosen.length > 0 ? chosen : null
}

function resolved(dated: readonly Dated[], match: ResolvedPrice['match'], { platform }: PriceQuery): Found {
  return dated.map(({ row, fromMs }) => ({ fromMs, price: { row, match, anthropic: isAnthropic(row, platform) } }))
}

function inForce(found: Found, atMs: number): ResolvedPrice {
  for (const entry of found) if (entry.fromMs <= atMs) return entry.price
  return (found[found.length - 1] as Found[number]).price
}

function compileWildcards(byName: ReadonlyMap<string, unknown>): (model: string) => string | null {
  const patterns = [...byName.keys()].filter((name) => name.endsWith('*'))
  if (patterns.length === 0) return () => null
  // `map` answers with the target; a target that ends in `*` would be filled in, so the pattern goes in with a mark behind it.
  const mapper = compileMapping(Object.fromEntries(patterns.map((pattern) => [pattern, `${pattern}!`])))
  return (model) => mapper.map(model)?.slice(0, -1) ?? null
}

interface Alias {
  model: string
  vendor: string
  /** How many spellings away from the row's own name. */
  distance: number
}

function collectAliases(rows: readonly PriceRow[]): Map<string, Alias[]> {
  const aliases = new Map<string, Alias[]>()
  for (const row of rows) {
    for (const [distance, name] of priceNames(row.model).entries()) {
      const alias = { model: row.model, vendor: row.vendor ?? '', distance }
      const list = aliases.get(name)
      if (list) list.push(alias)
      else aliases.set(name, [alias])
    }
  }
  return aliases
}

/** The account's own vendor under any spelling of the name before another vendor under the best one. */
function findAlias(aliases: ReadonlyMap<string, Alias[]>, names: readonly string[], query: PriceQuery): Alias | null {
  for (const ownOnly of [true, false]) {
    for (const name of names) {
      const candidates = aliases.get(name) ?? []
      const eligible = ownOnly ? candidates.filter(({ vendor }) => vendorRank(vendor, query) < 0) : candidates
      const best = bestAlias(eligible, query)
      if (best) return best
    }
  }
  return null
}

/** The vendor decides, then the fewest changes, then the newest (its date is in its name), so that the choice never depends on row order. */
function bestAlias(candidates: readonly Alias[], query: PriceQuery): Alias | null {
  let best: Alias | null = null
  let bestRank = 0
  for (const candidate of candidates) {
    const rank = vendorRank(candidate.vendor, query)
    const order =
      best === null
        ? -1
        : rank - bestRank || candidate.distance - best.distance || (candidate.model > best.model ? -1 : 1)
    if (order < 0) {
      best = candidate
      bestRank = rank
    }
  }
  return best
}

/** Lower is better; below 0: a vendor that the account buys from. */
function vendorRank(vendor: string, query: PriceQuery): number {
  if (vendor === query.vendor) return -100
  const ofPlatform = query.platform === null ? -1 : VENDORS_OF_PLATFORM[query.platform].indexOf(vendor)
  if (ofPlatform !== -1) return ofPlatform - 50
  const place = VENDOR_ORDER.indexOf(vendor)
  return place === -1 ? VENDOR_ORDER.length : place
}

function isAnthropic(row: PriceRow, platform: Platform | null): boolean {
  return row.vendor === 'anthropic' || row.model.includes('claude') || (row.vendor === null && platform === 'anthropic')
}
