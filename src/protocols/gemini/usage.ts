/**
 * Gemini's `usageMetadata` → Usage. https://ai.google.dev/api/generate-content#UsageMetadata
 *
 * `promptTokenCount` includes cached content and excludes tool use prompts; `candidatesTokenCount` excludes thoughts. The vendor's
 * total always equals prompt + candidates + thoughts + tool use.
 */
import { NO_USAGE } from '../../core/usage.ts'
import { asArray, asCount, asObject, asText, countOf } from '../../lib/json-values.ts'
import type { UsageReport } from '../usage-report.ts'

export function fromGeminiUsage(raw: unknown): UsageReport | null {
  const sent = asObject(raw)
  if (!sent) return null
  const total = asCount(sent.totalTokenCount)
  const prompt = asCount(sent.promptTokenCount)
  const candidates = asCount(sent.candidatesTokenCount)
  const thoughts = countOf(sent.thoughtsTokenCount)
  if (total === null && prompt === null && candidates === null) return null
  const cacheRead = countOf(sent.cachedContentTokenCount)
  const toolUse = countOf(sent.toolUsePromptTokenCount)
  const output = (candidates ?? 0) + thoughts
  const fullPrompt = prompt ?? Math.max(0, (total ?? 0) - output - toolUse)
  const input = (cacheRead > fullPrompt ? fullPrompt : fullPrompt - cacheRead) + toolUse
  const cacheReadAudio = Math.min(cacheRead, modality(sent.cacheTokensDetails, 'AUDIO'))
  const cachedImage = modality(sent.cacheTokensDetails, 'IMAGE')
  const audio = modality(sent.promptTokensDetails, 'AUDIO') + modality(sent.toolUsePromptTokensDetails, 'AUDIO')
  const image = modality(sent.promptTokensDetails, 'IMAGE') + modality(sent.toolUsePromptTokensDetails, 'IMAGE')
  const inputAudio = Math.min(input, Math.max(0, audio - cacheReadAudio))
  const outputAudio = Math.min(output, modality(sent.candidatesTokensDetails, 'AUDIO'))
  const usage = {
    ...NO_USAGE,
    input,
    output,
    cacheRead,
    reasoning: thoughts,
    inputAudio,
    inputImage: Math.min(input - inputAudio, Math.max(0, image - cachedImage)),
    cacheReadAudio,
    outputAudio,
    outputImage: Math.min(output - outputAudio, modality(sent.candidatesTokensDetails, 'IMAGE')),
  }
  const serviceTier = asText(sent.serviceTier) ?? asText(sent.trafficType)
  return { usage, iterations: null, serviceTier, uplifts: [] }
}

function modality(details: unknown, name: string): number {
  let tokens = 0
  for (const entry of asArray(details)) {
    const part = asObject(entry)
    if (part?.modality === name) tokens += countOf(part.tokenCount)
  }
  return tokens
}
