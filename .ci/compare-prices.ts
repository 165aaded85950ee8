/**
 * Cross-checks the built-in prices against a second source, @pydantic/genai-prices (MIT, a development dependency):
 *
 *   npx bun .ci/compare-prices.ts [YYYY-MM-DD]     prices in force on that day; default: the date of our table
 *
 * Prints one line per disagreement and a summary. A person decides; nothing is changed (exit 0). An update of the table may go in
 * unseen only where both agree.
 */
import { calcPrice, findProvider } from '@pydantic/genai-prices'
import { builtInPrices } from '../src/core/built-in-prices.ts'
import type { PriceRow, RateName } from '../src/core/price.ts'

/** Our vendor → theirs. Vendors not listed have no list there. */
const PROVIDERS: Readonly<Record<string, string>> = {
  openai: 'openai',
  anthropic: 'anthropic',
  gemini: 'google',
  bedrock: 'aws',
  azure: 'azure',
  deepseek: 'deepseek',
  xai: 'x-ai',
  mistral: 'mistral',
  moonshot: 'moonshotai',
  groq: 'groq',
  perplexity: 'perplexity',
  openrouter: 'openrouter',
  cerebras: 'cerebras',
  cohere: 'cohere',
  together_ai: 'together',
  fireworks_ai: 'fireworks',
  novita: 'novita',
  minimax: 'minimax',
  zai: 'zai',
}

const PRICE_KEYS: Partial<Record<RateName, string>> = {
  input: 'input_mtok',
  output: 'output_mtok',
  cacheRead: 'cache_read_mtok',
  cacheWrite5m: 'cache_write_mtok',
  cacheWrite1h: 'cache_write_1h_mtok',
  inputAudio: 'input_audio_mtok',
  outputAudio: 'output_audio_mtok',
}

interface Tiered {
  base: number
  tiers: { start: number; price: number }[]
}

const counts: Record<string, number> = {}
const count = (what: string) => {
  counts[what] = (counts[what] ?? 0) + 1
}

const rows = builtInPrices()
const at = new Date(Bun.argv[2] ?? rows[0]?.date ?? 0)
for (const row of rows) {
  const provider = PROVIDERS[row.vendor ?? '']
  if (provider === undefined) count('vendor not in the second source')
  else compareRow(row, provider)
}
for (const [what, times] of Object.entries(counts).sort())
  process.stdout.write(`${String(times).padStart(5)} ${what}\n`)

function compareRow(row: PriceRow, providerId: string): void {
  const theirs = theirPrice(row.model, providerId)
  if (theirs === null) {
    count(`${row.vendor}: model not in the second source`)
    return
  }
  const differences = (Object.entries(PRICE_KEYS) as [RateName, string][]).flatMap(([name, key]) => {
    const price = theirs[key]
    return price === undefined
      ? []
      : differencesOf(row, name, typeof price === 'number' ? { base: price, tiers: [] } : price)
  })
  for (const difference of differences) process.stdout.write(`${row.model}: ${difference}\n`)
  count(`${row.vendor}: ${differences.length === 0 ? 'agrees' : 'DISAGREES'}`)
}

/** Only what both price is compared: a price that one of them lacks follows from a default. */
function differencesOf(row: PriceRow, name: RateName, theirs: Tiered): string[] {
  const ours = row.rates[name]
  if (ours === undefined) return []
  const found: string[] = []
  if (differs(ours, theirs.base)) found.push(`${name} ${ours / 1e9}, theirs ${theirs.base}`)
  const tier = theirs.tiers.at(0)
  const ourTier = row.contextTiers?.at(0)
  const ourRate = ourTier?.rates[name]
  if (name === 'input' && tier?.start !== ourTier?.aboveTokens) {
    found.push(`first tier above ${ourTier?.aboveTokens ?? 'never'}, theirs above ${tier?.start ?? 'never'}`)
  } else if (tier && ourTier && ourRate !== undefined && differs(ourRate, tier.price)) {
    found.push(`${name} above ${ourTier.aboveTokens}: ${ourRate / 1e9}, theirs ${tier.price}`)
  }
  return found
}

function differs(rate: number, usdPerMillion: number): boolean {
  return Math.abs(usdPerMillion - rate / 1e9) > 1e-9
}

function theirPrice(model: string, providerId: string): Record<string, number | Tiered | undefined> | null {
  const name = model.slice(model.indexOf('/') + 1)
  const found = calcPrice({ input_tokens: 1, output_tokens: 1 }, name, {
    provider: findProvider({ providerId }),
    timestamp: at,
  })
  return found && (found.model_price as Record<string, number | Tiered | undefined>)
}
