/** Google Gemini (and Vertex, which answers in the same dialect): generation, token count, embeddings. */
import type { ResponseSide } from '../protocol.ts'
import { readErrorBody } from '../upstream-error.ts'
import { geminiErrorBody, geminiErrorEvent } from './error.ts'
import { geminiGate } from './gate.ts'
import { geminiMeter } from './meter.ts'
import { geminiModel, geminiModelList } from './models.ts'

export const gemini: ResponseSide = {
  id: 'gemini',
  platform: 'gemini',
  platforms: ['gemini'],
  meter: geminiMeter,
  gate: (_operation, framing) => geminiGate(framing),
  readError: readErrorBody,
  errorBody: geminiErrorBody,
  errorEvent: geminiErrorEvent,
  errorNeedsEvent: (reading, framing) => framing === 'sse' && reading.final === 'error',
  // Comments break Gemini CLI, and its streams know no other filler (REL-15).
  keepAlive: null,
  usageFilter: null,
  modelPaths: [['modelVersion']],
  modelList: geminiModelList,
  modelObject: geminiModel,
}
