/** OpenAI Chat Completions, with legacy Completions and Embeddings: also what most other vendors speak. */
import type { ResponseSide } from '../protocol.ts'
import { readErrorBody } from '../upstream-error.ts'
import { chatErrorEvent, openaiErrorBody } from './error.ts'
import { openaiChatGate } from './gate.ts'
import { openaiChatMeter } from './meter.ts'
import { openaiModel, openaiModelList } from './models.ts'

export const openaiChat: ResponseSide = {
  id: 'openai-chat',
  platform: 'openai',
  meter: openaiChatMeter,
  gate: (_operation, framing) => openaiChatGate(framing),
  readError: readErrorBody,
  errorBody: openaiErrorBody,
  errorEvent: chatErrorEvent,
  modelPaths: [['model']],
  modelList: openaiModelList,
  modelObject: openaiModel,
}
