/** OpenAI Chat Completions, with legacy Completions and Embeddings: also what most other vendors speak. */
import type { ResponseSide } from '../protocol.ts'
import { readErrorBody } from '../upstream-error.ts'
import { chatErrorEvent, openaiErrorBody } from './error.ts'
import { openaiChatGate } from './gate.ts'
import { openaiChatMeter } from './meter.ts'
import { openaiModel, openaiModelList } from './models.ts'
import { createUsageChunkFilter } from './usage-filter.ts'

export const openaiChat: ResponseSide = {
  id: 'openai-chat',
  platform: 'openai',
  platforms: ['openai'],
  meter: openaiChatMeter,
  gate: (_operation, framing) => openaiChatGate(framing),
  readError: readErrorBody,
  errorBody: openaiErrorBody,
  errorEvent: chatErrorEvent,
  errorNeedsEvent: () => false,
  keepAlive: ': keep-alive\n\n',
  usageFilter: createUsageChunkFilter,
  modelPaths: [['model']],
  modelList: openaiModelList,
  modelObject: openaiModel,
}
