/**
 * Tokens in everything that Bedrock answers (BIL-1, quirk 24), whoever made the model: Converse, and the native answers of Anthropic, Amazon
 * (Nova, Titan) and Meta. Cache reads and writes are outside the input everywhere. Bedrock's own `amazon-bedrock-invocationMetrics` count
 * only where the model says nothing: they can disagree (98 output tokens against the model's 130 in one recorded stream).
 */
import { NO_USAGE, type Usage } from '../../core/usage.ts'
import { asArray, asCount, asObject, countOf, type JsonObject } from '../../lib/json-values.ts'
import { fromAnthropicUsage } from '../../protocols/anthropic/usage.ts'

const METRICS_KEY = 'amazon-bedrock-invocationMetrics'

/** A body, or one event of a stream, parsed. Null: it reports no tokens. */
export function usageInAnswer(answer: unknown): Usage | null {
  const said = asObject(answer)
  if (!said) return null
  return fromModel(said) ?? fromCounts(asObject(said[METRICS_KEY]), METRICS)
}

function fromModel(said: JsonObject): Usage | null {
  const usage = asObject(said.usage) ?? asObject(asObject(said.metadata)?.usage)
  return fromAnthropicUsage(usage)?.usage ?? fromCounts(usage, CONVERSE) ?? fromCounts(withTitanResults(said), NATIVE)
}

interface CountNames {
  input: readonly string[]
  output: readonly string[]
  cacheRead: readonly string[]
  cacheWrite: readonly string[]
}

/** Converse, and Nova's own format, which names its cache like the metrics. */
const CONVERSE: CountNames = {
  input: ['inputTokens'],
  output: ['outputTokens'],
  cacheRead: ['cacheReadInputTokens', 'cacheReadInputTokenCount'],
  cacheWrite: ['cacheWriteInputTokens', 'cacheWriteInputTokenCount'],
}
const METRICS: CountNames = {
  input: ['inputTokenCount'],
  output: ['outputTokenCount'],
  cacheRead: ['cacheReadInputTokenCount'],
  cacheWrite: ['cacheWriteInputTokenCount'],
}
/** Titan and Llama, beside their texts; `inputTokens` alone is the answer of count-tokens. */
const NATIVE: CountNames = {
  input: ['inputTextTokenCount', 'prompt_token_count', 'inputTokens'],
  output: ['totalOutputTextTokenCount', 'generation_token_count', 'titanResults'],
  cacheRead: [],
  cacheWrite: [],
}

function fromCounts(said: JsonObject | null, names: CountNames): Usage | null {
  const first = (wanted: readonly string[]) => wanted.map((name) => asCount(said?.[name])).find((n) => n !== null)
  const input = first(names.input)
  const output = first(names.output)
  if (said === null || (input === undefined && output === undefined)) return null
  const written = first(names.cacheWrite) ?? 0
  const written1h = Math.min(written, writtenForAnHour(said))
  return {
    ...NO_USAGE,
    input: input ?? 0,
    output: output ?? 0,
    cacheRead: first(names.cacheRead) ?? 0,
    cacheWrite5m: written - written1h,
    cacheWrite1h: written1h,
  }
}

/** Converse: `"cacheDetails":[{"inputTokens":297,"ttl":"5m"}]` */
function writtenForAnHour(said: JsonObject): number {
  let sum = 0
  for (const entry of asArray(said.cacheDetails)) {
    const detail = asObject(entry)
    if (detail?.ttl === '1h') sum += countOf(detail.inputTokens)
  }
  return sum
}

/** Titan's whole answers count each of their results: `"results":[{"tokenCount":10,"outputText":"…"}]` */
function withTitanResults(said: JsonObject): JsonObject {
  const counts = asArray(said.results).map((result) => asCount(asObject(result)?.tokenCount))
  if (counts.length === 0 || counts.includes(null)) return said
  return { ...said, titanResults: counts.reduce<number>((sum, count) => sum + (count ?? 0), 0) }
}
