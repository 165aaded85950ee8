/**
 * The usage object of the OpenAI dialects (Chat, Completions, Embeddings, Responses) and of the vendors that speak them → Usage.
 *
 * `prompt_tokens` (Responses: `input_tokens`) includes what was read from and written to the cache; `completion_tokens` includes
 * reasoning. Vendors differ, and the vendor's own total tells how:
 *
 *   xAI chat        12 + 1, reasoning 290, total 303   → reasoning is outside: output 291
 *   Gemini's OpenAI endpoint   35 + 12, total 109      → 62 hidden thoughts: output 74, reasoning 62
 *   Mistral audio   9 + 201, audio seconds, total 585  → 375 audio tokens outside the prompt: input 384
 *   Grok on Azure   prompt 7, cached 161               → the cache is outside: input 7, read 161
 *   Voyage          total only                         → input
 */
import { NO_USAGE, type Usage } from '../../core/usage.ts'
import { asCount, asObject, countOf, type JsonObject } from '../../lib/json-values.ts'
import type { UsageReport } from '../usage-report.ts'

/** Numbers as sent, by one name each. `rest`: what the total has beyond prompt and completion. */
interface Counts {
  prompt: number
  completion: number
  cached: number
  written: number
  reasoning: number
  rest: number
}

export function fromOpenaiUsage(raw: unknown): UsageReport | null {
  const sent = asObject(raw)
  const counts = sent && readCounts(sent)
  if (!sent || !counts) return null
  const usage = balanced(counts, countOf(sent.prompt_audio_seconds) > 0)
  return { usage: withParts(usage, sent), iterations: null, serviceTier: null, uplifts: [] }
}

function readCounts(sent: JsonObject): Counts | null {
  const prompt = asCount(sent.prompt_tokens) ?? asCount(sent.input_tokens)
  const completion = asCount(sent.completion_tokens) ?? asCount(sent.output_tokens)
  const total = asCount(sent.total_tokens)
  if (prompt === null && completion === null && total === null) return null
  const input = promptDetails(sent)
  return {
    prompt: prompt ?? Math.max(0, (total ?? 0) - (completion ?? 0)),
    completion: completion ?? 0,
    // DeepSeek sends two of these names at once: one of them counts, never their sum.
    cached: asCount(input?.cached_tokens) ?? asCount(sent.prompt_cache_hit_tokens) ?? countOf(sent.cached_tokens),
    written: countOf(input?.cache_write_tokens),
    reasoning: countOf(completionDetails(sent)?.reasoning_tokens),
    rest: completion === null || prompt === null ? 0 : Math.max(0, (total ?? 0) - prompt - completion),
  }
}

/** Lets the vendor's total decide what is inside what. */
function balanced(counts: Counts, hasAudioSeconds: boolean): Usage {
  const { prompt, cached, written, rest } = counts
  const usage = { ...NO_USAGE, output: counts.completion, reasoning: counts.reasoning, cacheRead: cached }
  let outside = cached > prompt
  let audio = 0
  if (rest > 0) {
    if (rest === counts.reasoning) usage.output += rest
    else if (rest === cached) outside = true
    else if (hasAudioSeconds) audio = rest
    else {
      usage.output += rest
      if (counts.reasoning === 0) usage.reasoning = rest
    }
  }
  usage.input = (outside ? prompt : Math.max(0, prompt - cached - written)) + audio
  usage.inputAudio = audio
  usage.cacheWrite5m = written
  return usage
}

/** Audio and image tokens where reported. The prompt's audio includes cached audio; a part is never larger than its leaf. */
function withParts(usage: Usage, sent: JsonObject): Usage {
  const input = promptDetails(sent)
  const output = completionDetails(sent)
  const cachedAudio = countOf(asObject(input?.cached_tokens_details)?.audio_tokens)
  usage.cacheReadAudio = Math.min(usage.cacheRead, cachedAudio)
  const audio = usage.inputAudio + Math.max(0, countOf(input?.audio_tokens) - usage.cacheReadAudio)
  usage.inputAudio = Math.min(usage.input, audio)
  usage.inputImage = Math.min(usage.input - usage.inputAudio, countOf(input?.image_tokens))
  usage.outputAudio = Math.min(usage.output, countOf(output?.audio_tokens))
  usage.outputImage = Math.min(usage.output - usage.outputAudio, countOf(output?.image_tokens))
  return usage
}

function promptDetails(sent: JsonObject): JsonObject | null {
  return asObject(sent.prompt_tokens_details) ?? asObject(sent.input_tokens_details)
}

function completionDetails(sent: JsonObject): JsonObject | null {
  return asObject(sent.completion_tokens_details) ?? asObject(sent.output_tokens_details)
}
