/** OpenAI Responses, and Codex's compaction of a conversation. */
import { openaiErrorBody } from '../openai-chat/error.ts'
import { openaiModel, openaiModelList } from '../openai-chat/models.ts'
import type { ResponseSide } from '../protocol.ts'
import { readErrorBody } from '../upstream-error.ts'
import { responsesErrorEvent } from './error.ts'
import { openaiResponsesGate } from './gate.ts'
import { openaiResponsesMeter } from './meter.ts'

export const openaiResponses: ResponseSide = {
  id: 'openai-responses',
  platform: 'openai',
  platforms: ['openai'],
  meter: openaiResponsesMeter,
  gate: (_operation, framing) => openaiResponsesGate(framing),
  readError: readErrorBody,
  errorBody: openaiErrorBody,
  errorEvent: responsesErrorEvent,
  errorNeedsEvent: (reading) => reading.final === 'error',
  keepAlive: ': keep-alive\n\n',
  usageFilter: null,
  modelPaths: [['model'], ['response', 'model']],
  modelList: openaiModelList,
  modelObject: openaiModel,
}
