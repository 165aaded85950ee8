/** Anthropic Messages, and its free token count. */
import type { ResponseSide } from '../protocol.ts'
import { readErrorBody } from '../upstream-error.ts'
import { anthropicErrorBody, anthropicErrorEvent } from './error.ts'
import { anthropicGate } from './gate.ts'
import { anthropicMeter } from './meter.ts'
import { anthropicModel, anthropicModelList } from './models.ts'

export const anthropic: ResponseSide = {
  id: 'anthropic',
  platform: 'anthropic',
  platforms: ['anthropic', 'bedrock'],
  meter: anthropicMeter,
  gate: (_operation, framing) => anthropicGate(framing),
  readError: readErrorBody,
  errorBody: anthropicErrorBody,
  errorEvent: anthropicErrorEvent,
  errorNeedsEvent: () => false,
  keepAlive: 'event: ping\ndata: {"type": "ping"}\n\n',
  usageFilter: null,
  modelPaths: [['model'], ['message', 'model']],
  modelList: anthropicModelList,
  modelObject: anthropicModel,
}
