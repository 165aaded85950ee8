/**
 * Cross-checks the built-in prices against a second source, @pydantic/genai-prices (MIT; not installed with the rest):
 *
 *   npm install --prefix /tmp/second-source @pydantic/genai-prices
 *   GENAI_PRICES=/tmp/second-source/node_modules/@pydantic/genai-prices npx bun .ci/compare-prices.ts [YYYY-MM-DD]
 *
 * The prices are those in force on that day; default: the date of our table. Prints a table of every disagreement with what was decided
 * about it (`./price-decisions.ts`), the most used models row by row, and counts. Nothing is changed (exit 0). An update of the table may go in
 * unseen only where both agree.
 */
import { builtInPrices } from '../src/core/built-in-prices.ts'
import type { PriceRow, RateName } from '../src/core/price.ts'
import { type Disagreement, decide } from './price-decisions.ts'

/** The part of the package that is used. */
interface SecondSource {
  findProvider(query: { providerId: string }): unknown
  calcPrice(
    usage: object,
    model: string,
    options: { provider: unknown; timestamp: Date },
  ): { model_price: unknown } | null
}
const { calcPrice, findProvider } = (await import(process.env.GENAI_PRICES ?? '@pydantic/genai-prices')) as SecondSource

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

/** Most asked for through gateways like this one: what Claude Code, Codex, Gemini CLI and the SDKs' examples name. */
const MOST_USED = [
  'claude-opus-5',
  'claude-opus-4-8',
  'claude-opus-4-7',
  'claude-sonnet-5',
  'claude-sonnet-4-6',
  'claude-sonnet-4-5-20250929',
  'claude-haiku-4-5-20251001',
  'claude-fable-5',
  'gpt-5.6',
  'gpt-5.5',
  'gpt-5.4',
  'gpt-5.4-mini',
  'gpt-5-mini',
  'gpt-5',
  'gpt-4o',
  'gpt-4o-mini',
  'gemini/gemini-3.6-flash',
  'gemini/gemini-2.5-pro',
  'gemini/gemini-2.5-flash',
  'xai/grok-4.5',
]

const counts: Record<string, number> = {}
const count = (what: string) => {
  counts[what] = (counts[what] ?? 0) + 1
}
const lines: string[] = []
const summaries = new Map<string, string>()

const rows = builtInPrices()
const at = new Date(Bun.argv[2] ?? rows[0]?.date ?? 0)
for (const row of rows) {
  const provider = PROVIDERS[row.vendor ?? '']
  if (provider === undefined) count('row: vendor not in the second source')
  else compareRow(row, provider)
}
print('| model | price | ours | theirs | decision | why |', '| --- | --- | --: | --: | --- | --- |', ...lines)
print('', '| most used | |', '| --- | --- |')
for (const model of MOST_USED) print(`| ${model} | ${summaries.get(model) ?? 'no such row'} |`)
print(
  '',
  ...Object.entries(counts)
    .sort()
    .map(([what, times]) => `${String(times).padStart(5)} ${what}`),
)

function print(...texts: string[]): void {
  for (const text of texts) process.stdout.write(`${text}\n`)
}

function compareRow(row: PriceRow, providerId: string): void {
  const theirs = theirPrice(row.model, providerId)
  if (theirs === null) {
    count('row: model not in the second source')
    summaries.set(row.model, 'not in the second source')
    return
  }
  const differences = (Object.entries(PRICE_KEYS) as [RateName, string][]).flatMap(([name, key]) => {
    const price = theirs[key]
    return price === undefined
      ? []
      : differencesOf(row, name, typeof price === 'number' ? { base: price, tiers: [] } : price)
  })
  count(`row: ${differences.length === 0 ? 'agrees' : 'disagrees'}`)
  summaries.set(row.model, differences.length === 0 ? 'agrees' : differences.map(told).join('; '))
  for (const found of differences) {
    const { verdict, why } = decide(found)
    count(`price that differs: ${verdict}`)
    lines.push(
      `| ${found.model} | ${found.field} | ${shown(found.ours)} | ${shown(found.theirs)} | ${verdict} | ${why} |`,
    )
  }
}

function shown(value: number | null): string {
  return value === null ? 'never' : String(value)
}

function told(found: Disagreement): string {
  return `${found.field} ${shown(found.ours)}, theirs ${shown(found.theirs)}: ${decide(found).verdict}`
}

/** Only what both price is compared: a price that one of them lacks follows from a default. */
function differencesOf(row: PriceRow, name: RateName, theirs: Tiered): Disagreement[] {
  const ours = row.rates[name]
  if (ours === undefined) return []
  const about = { vendor: row.vendor ?? '', model: row.model }
  const found: Disagreement[] = []
  if (differs(ours, theirs.base)) found.push({ ...about, field: name, ours: ours / 1e9, theirs: theirs.base })
  const tier = theirs.tiers.at(0)
  const ourTier = row.contextTiers?.at(0)
  const ourRate = ourTier?.rates[name]
  if (name === 'input' && tier?.start !== ourTier?.aboveTokens) {
    found.push({ ...about, field: 'tier', ours: ourTier?.aboveTokens ?? null, theirs: tier?.start ?? null })
  } else if (tier && ourTier && ourRate !== undefined && differs(ourRate, tier.price)) {
    found.push({ ...about, field: `${name} above ${ourTier.aboveTokens}`, ours: ourRate / 1e9, theirs: tier.price })
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
