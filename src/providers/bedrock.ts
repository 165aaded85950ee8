/**
 * Claude on Amazon Bedrock by AWS credentials: the Messages protocol in Bedrock's envelope (ACC-16).
 *
 * Clients reach Anthropic's models (`invoke`, `invoke-with-response-stream`, `count-tokens`). Not offered: Converse and the other makers' own
 * formats, which no protocol of ours speaks; their tokens can be read (`bedrock/usage.ts`).
 * No model list: ListFoundationModels is another service, which needs other permissions.
 */
import type { Account } from '../core/entities.ts'
import { resetTime } from '../core/reset-time.ts'
import type { Operation } from '../protocols/protocol.ts'
import { createMessagesStream, retellCount, retellMessage } from './bedrock/answer.ts'
import { errorName, retellError } from './bedrock/errors.ts'
import { CLAUDE_NAMES, modelIdIn, nameOfModelId, withoutProfile } from './bedrock/models.ts'
import { toCountTokensBody, toInvokeBody } from './bedrock/request.ts'
import type { EndpointInput, Envelope, Provider } from './provider.ts'

const DEFAULT_REGION = 'us-east-1'
const regionOf = (account: Account) => account.credentials.awsRegion ?? DEFAULT_REGION
const counts = (operation: Operation) => !operation.generates

const envelope: Envelope = {
  models: CLAUDE_NAMES,
  modelId: (account, model) => modelIdIn(regionOf(account), model),
  nameInAnswers: nameOfModelId,
  request: ({ operation, body, header }) => {
    const betas = header('anthropic-beta')
    return counts(operation) ? toCountTokensBody(body, betas) : toInvokeBody(body, betas)
  },
  signing: { service: 'bedrock', region: regionOf },
  whole: (operation, body) => (counts(operation) ? retellCount(body) : retellMessage(body)),
  stream: ({ contentType, modelId }) =>
    contentType.includes('application/vnd.amazon.eventstream') ? createMessagesStream(nameOfModelId(modelId)) : null,
  error: retellError,
}

export const bedrock: Provider = {
  id: 'bedrock-aws',
  platform: 'bedrock',
  accountType: 'aws',
  speaks: ['anthropic'],
  lacks: [],
  endpoint,
  modelList: null,
  // Signed instead (`envelope.signing`).
  authorize: () => ({}),
  defaultHeaders: { 'content-type': 'application/json' },
  forwardHeaders: new Set(['user-agent']),
  forwardPrefixes: [],
  // Bedrock says what is throttled, hardly ever until when. Of the AWS account's own quota it can't be told which models it concerns.
  readLimit: ({ header, model, nowMs }) => {
    const untilMs = resetTime(header('retry-after'), nowMs)
    const isQuota = errorName(header('x-amzn-errortype')) === 'ServiceQuotaExceededException'
    return { untilMs, source: 'retry-after', family: isQuota ? null : model }
  },
  readSnapshot: null,
  snapshotPrefix: '',
  // Quotas are per model and profile: https://docs.aws.amazon.com/bedrock/latest/userguide/quotas.html
  familyOf: (model) => model,
  forceStoreFalse: false,
  accept: 'any',
  envelope,
}

/** The client's query stays here: "?beta=true" means nothing to Bedrock, and would have to be signed. */
function endpoint({ account, operation, model, stream }: EndpointInput): string {
  const given = account.credentials.baseUrl ?? `https://bedrock-runtime.${regionOf(account)}.amazonaws.com`
  const base = given.endsWith('/') ? given.slice(0, -1) : given
  const verb = counts(operation) ? 'count-tokens' : stream ? 'invoke-with-response-stream' : 'invoke'
  return `${base}/model/${encodeURIComponent(counts(operation) ? withoutProfile(model) : model)}/${verb}`
}
