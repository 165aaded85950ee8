/**
 * Anthropic's usage object → Usage. Its `input_tokens` excludes cache reads and writes; `output_tokens` includes thinking.
 * https://platform.claude.com/docs/en/api/messages#response-usage
 *
 * Writes: the 1-hour part is as reported, all the rest of the total is 5-minute. A `message_delta` raises the total without
 * repeating the split (3337 after 3068 + 0), so the split alone must never be billed.
 */
import { addUsage, type IterationUsage, NO_USAGE, totalTokens, type Usage } from '../../core/usage.ts'
import { asArray, asCount, asObject, asText, countOf, type JsonObject } from '../../lib/json-values.ts'
import type { UsageReport } from '../usage-report.ts'

export function fromAnthropicUsage(raw: unknown): UsageReport | null {
  const sent = asObject(raw)
  if (!sent || !reportsTokens(sent)) return null
  const usage = readCall(sent)
  return {
    usage,
    iterations: readIterations(sent.iterations, usage),
    serviceTier: asText(sent.service_tier),
    uplifts: readUplifts(sent),
  }
}

/** Where inference ran by default, or where the vendor does not say; and ordinary speed. */
const ORDINARY: ReadonlySet<string> = new Set(['global', 'not_available', 'standard'])

/**
 * What the *response* says of place and speed: a request's own `speed` may not have been granted, its place may be the workspace's default.
 * https://platform.claude.com/docs/en/build-with-claude/fast-mode https://platform.claude.com/docs/en/manage-claude/data-residency
 */
function readUplifts(sent: JsonObject): string[] {
  const words = [asText(sent.inference_geo), asText(sent.speed)]
  return words.filter((word) => word !== null && word !== '' && !ORDINARY.has(word)) as string[]
}

function reportsTokens(sent: JsonObject): boolean {
  return (
    asCount(sent.input_tokens) !== null ||
    asCount(sent.output_tokens) !== null ||
    asCount(sent.cache_read_input_tokens) !== null ||
    asCount(sent.cache_creation_input_tokens) !== null
  )
}

function readCall(sent: JsonObject): Usage {
  const split = asObject(sent.cache_creation)
  const written1h = countOf(split?.ephemeral_1h_input_tokens)
  const written = asCount(sent.cache_creation_input_tokens) ?? written1h + countOf(split?.ephemeral_5m_input_tokens)
  return {
    ...NO_USAGE,
    input: countOf(sent.input_tokens),
    output: countOf(sent.output_tokens),
    cacheRead: countOf(sent.cache_read_input_tokens),
    cacheWrite5m: Math.max(0, written - written1h),
    cacheWrite1h: written1h,
    reasoning: countOf(asObject(sent.output_tokens_details)?.thinking_tokens),
    webSearches: countOf(asObject(sent.server_tool_use)?.web_search_requests),
  }
}

/**
 * The calls behind one answer. The top level is their sum, or that of some of them: a compaction's 60385 + 592 tokens, an advisor
 * at another model's price or a refusing model's input are left out. Null when the list adds nothing.
 */
function readIterations(raw: unknown, top: Usage): IterationUsage[] | null {
  const calls: IterationUsage[] = []
  let sum: Usage = NO_USAGE
  for (const entry of asArray(raw)) {
    const sent = asObject(entry)
    if (!sent) continue
    const usage = readCall(sent)
    calls.push({ model: asText(sent.model), usage })
    sum = addUsage(sum, usage)
  }
  const covers =
    sum.input >= top.input &&
    sum.output >= top.output &&
    sum.cacheRead >= top.cacheRead &&
    sum.cacheWrite5m + sum.cacheWrite1h >= top.cacheWrite5m + top.cacheWrite1h
  return covers && totalTokens(sum) > totalTokens(top) ? calls : null
}
