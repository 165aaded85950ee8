/** Bedrock accounts behind the Messages protocol, from the client's request to the usage record (ACC-16). The provider checks signatures. */
import { describe, expect, test } from 'bun:test'
import { expectedAuthorization } from '../support/aws-signature.ts'
import { chunk, exception } from '../support/event-stream.ts'
import { AWS_SECRET, useGateway } from '../support/scene.ts'
import { answer, type Reply, type SeenRequest, sendPieces } from '../support/scripted-upstream.ts'
import { readMessages } from '../support/strict-messages.ts'

const { gateway, scene, record } = useGateway()
const simple = useGateway({ RUN_MODE: 'simple' })

const USAGE = { input_tokens: 12, cache_creation_input_tokens: 0, cache_read_input_tokens: 8, output_tokens: 1 }
const MODEL = 'claude-sonnet-4-5-20250929'
const START = {
  type: 'message_start',
  message: { id: 'msg_bdrk_1', type: 'message', role: 'assistant', model: MODEL, content: [], usage: USAGE },
}
const BLOCK = { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }
const DELTA = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Grüße' } }
const CLOSE = { type: 'content_block_stop', index: 0 }
const END = { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 130 } }
const METRICS = { inputTokenCount: 12, outputTokenCount: 98, invocationLatency: 9, firstByteLatency: 8 }
const STOP = { type: 'message_stop', 'amazon-bedrock-invocationMetrics': METRICS }
const GOOD = [START, BLOCK, DELTA, CLOSE, END, STOP].map(chunk)
const BODY = JSON.stringify({ ...START.message, stop_reason: 'end_turn', usage: { ...USAGE, output_tokens: 130 } })

const REQUEST =
  '{"model":"claude-sonnet-4-5", "max_tokens":64,"stream":true,"messages":[{"role":"user","content":"hi"}]}'
const WHOLE = REQUEST.replace('"stream":true,', '')
const VERSION = '"anthropic_version":"bedrock-2023-05-31"'
const STREAM_PATH = '/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke-with-response-stream'

function streams(frames: readonly Uint8Array[]) {
  return async (_request: SeenRequest, reply: Reply) => {
    reply.head(200, { 'content-type': 'application/vnd.amazon.eventstream', 'x-amzn-requestid': 'aws-1' })
    await sendPieces(reply, frames)
    reply.end()
  }
}
const fails = (reply: Reply, status: number, kind: string, message: string) =>
  answer(reply, status, JSON.stringify({ message }), { 'x-amzn-errortype': kind })

describe('a Bedrock account', () => {
  test('serves a stream of Messages: signed, without the client’s key, as events of Anthropic’s (ACC-16, REL-3, REL-4)', async () => {
    const { upstream, send } = await scene({ platform: 'bedrock', script: streams(GOOD) })
    const headers = { 'anthropic-version': '2023-06-01', 'anthropic-beta': 'context-1m-2025-08-07,oauth-2025-04-20' }
    const response = await send('/v1/messages?beta=true', REQUEST, { headers })
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const { message, events } = readMessages(await response.text())
    expect(message).toMatchObject({ model: 'claude-sonnet-4-5', stop_reason: 'end_turn', content: [{ text: 'Grüße' }] })
    expect(events.at(-1)).toEqual({ type: 'message_stop' })

    const [request] = upstream.requests
    expect(`${request?.method} ${request?.target}`).toBe(`POST ${STREAM_PATH}`)
    expect(request?.body.toString()).toBe(
      `{${VERSION},"anthropic_beta":["context-1m-2025-08-07"], "max_tokens":64,"messages":[{"role":"user","content":"hi"}]}`,
    )
    expect(request?.header('authorization')).toBe(expectedAuthorization(request!, AWS_SECRET))
    expect(request?.header('authorization')).toContain('/us-east-1/bedrock/aws4_request')
    expect(request?.header('anthropic-version') ?? null).toBeNull()
    expect(request?.header('x-api-key') ?? null).toBeNull()

    expect(await record(response)).toMatchObject({
      status: 'completed',
      platform: 'bedrock',
      protocol: 'anthropic',
      model: 'claude-sonnet-4-5',
      upstream_model: 'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
      upstream_request_id: 'aws-1',
      input_tokens: 12,
      cache_read_tokens: 8,
      output_tokens: 130,
      metering: 'measured',
      priced: true,
    })
  })

  test('serves a whole answer, with a session token and another region’s profile (ACC-16, REL-17)', async () => {
    const credentials = { aws_region: 'eu-central-1', aws_session_token: 'token/of+session==' }
    const { upstream, send } = await scene({
      platform: 'bedrock',
      accounts: [{ credentials, path: '/' }],
      script: (_, reply) => answer(reply, 200, BODY),
    })
    const response = await send('/v1/messages', WHOLE)
    expect(await response.text()).toBe(BODY.replace(MODEL, 'claude-sonnet-4-5'))
    const [request] = upstream.requests
    expect(request?.target).toBe('/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke')
    expect(request?.header('x-amz-security-token')).toBe('token/of+session==')
    expect(request?.header('authorization')).toBe(expectedAuthorization(request!, AWS_SECRET))
    expect(await record(response)).toMatchObject({ status: 'completed', input_tokens: 12, output_tokens: 130 })
  })

  test('maps models as it is told, ARNs too, and the client sees the name it asked for (ACC-2, REL-10)', async () => {
    const arn = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc'
    const mapping = { 'my-claude': 'global.anthropic.claude-sonnet-4-5-20250929-v1:0', ours: arn }
    const { upstream, send } = await scene({
      platform: 'bedrock',
      accounts: [{ model_mapping: mapping }],
      script: streams(GOOD),
    })
    const asked = await send('/v1/messages', REQUEST.replace('claude-sonnet-4-5', 'my-claude'))
    expect(readMessages(await asked.text()).message.model).toBe('my-claude')
    await (await send('/v1/messages', REQUEST.replace('claude-sonnet-4-5', 'ours'))).text()
    expect(upstream.requests.map(({ target }) => target.split('/')[2])).toEqual([
      'global.anthropic.claude-sonnet-4-5-20250929-v1%3A0',
      encodeURIComponent(arn),
    ])
    expect(upstream.requests[1]?.header('authorization')).toBe(expectedAuthorization(upstream.requests[1]!, AWS_SECRET))
    expect((await send('/v1/messages', REQUEST)).status).toBe(503)
  })

  test('counts tokens, by the model behind the profile (ACC-16)', async () => {
    const { upstream, send } = await scene({
      platform: 'bedrock',
      script: (_, reply) => answer(reply, 200, '{"inputTokens":11}'),
    })
    const response = await send('/v1/messages/count_tokens', '{"model":"claude-sonnet-4-5","messages":[]}')
    expect(await response.json()).toEqual({ input_tokens: 11 })
    const [request] = upstream.requests
    expect(request?.target).toBe('/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens')
    const { input } = JSON.parse(request!.body.toString())
    expect(Buffer.from(input.invokeModel.body, 'base64').toString()).toBe(
      `{${VERSION},"max_tokens":1024,"messages":[]}`,
    )
  })
})

describe('when Bedrock fails', () => {
  test('the client’s own fault passes in Anthropic’s shape, with its status (REL-12)', async () => {
    const { send } = await scene({
      platform: 'bedrock',
      script: (_, reply) => fails(reply, 400, 'ValidationException', 'max_tokens: Field required'),
    })
    const response = await send('/v1/messages', REQUEST)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      type: 'error',
      error: { type: 'invalid_request_error', message: 'max_tokens: Field required' },
    })
    expect(await record(response)).toMatchObject({ error_code: 'invalid_request_error', http_status: 400 })
  })

  const TROUBLES: [string, (reply: Reply) => unknown, string][] = [
    ['throttling', (reply) => fails(reply, 429, 'ThrottlingException:http://x/', 'Too many requests'), 'rate_limited'],
    ['a used-up quota', (reply) => fails(reply, 400, 'ServiceQuotaExceededException', 'quota'), 'rate_limited'],
    ['a wrong key', (reply) => fails(reply, 403, 'UnrecognizedClientException', 'token invalid'), 'unauthorized'],
    ['a model that timed out', (reply) => fails(reply, 408, 'ModelTimeoutException', 'slow'), 'server_error'],
    [
      'throttling inside a 200',
      (reply) => streams([chunk(START), exception('throttlingException', 'slow')])(REQ, reply),
      'rate_limited',
    ],
    ['a damaged frame at once', (reply) => streams([Buffer.alloc(40, 7)])(REQ, reply), 'stream_fault'],
  ]
  const REQ = null as unknown as SeenRequest
  test.each(TROUBLES)('%s moves the request to the next account (ACC-5, REL-11)', async (_, trouble, reason) => {
    const { accounts, send } = await scene({
      platform: 'bedrock',
      accounts: [
        { path: '/a', priority: 1 },
        { path: '/b', priority: 2 },
      ],
      script: (request, reply) =>
        request.target.startsWith('/a/') ? void trouble(reply) : streams(GOOD)(request, reply),
    })
    const response = await send('/v1/messages', REQUEST)
    expect(readMessages(await response.text()).message.content[0]?.text).toBe('Grüße')
    const { attempts } = await record(response)
    expect(attempts.map((attempt) => attempt.account_id)).toEqual(accounts)
    expect(attempts.map((attempt) => attempt.reason)).toEqual([reason, null])
  })

  test('a model that is throttled is blocked by itself, however it was said; the others go on (ACC-6, ACC-16)', async () => {
    const ways: ((reply: Reply) => unknown)[] = [
      (reply) => fails(reply, 429, 'ThrottlingException:http://x/', 'Too many requests'),
      (reply) => streams([exception('throttlingException', 'slow')])(REQ, reply),
    ]
    for (const throttle of ways) {
      const { send, upstream } = await scene({
        platform: 'bedrock',
        script: (request, reply) =>
          request.target.includes('sonnet') ? void throttle(reply) : streams(GOOD)(request, reply),
      })
      const ask = (model: string) => send('/v1/messages', REQUEST.replace('claude-sonnet-4-5', model))
      expect((await ask('claude-sonnet-4-5')).status).toBe(429)
      expect((await ask('claude-haiku-4-5')).status).toBe(200)
      const refused = await ask('claude-sonnet-4-5')
      expect(refused.status).toBe(503)
      expect((await record(refused)).choice).toMatchObject({ candidates: 1, passed_over: { model_limited: 1 } })
      expect(upstream.requests).toHaveLength(2)
    }
  })

  test('an exception after content is an error event, once (REL-13)', async () => {
    const frames = [START, BLOCK, DELTA].map(chunk)
    const { send } = await scene({
      platform: 'bedrock',
      script: streams([...frames, exception('modelStreamErrorException', 'it stumbled')]),
    })
    const response = await send('/v1/messages', REQUEST)
    const { error, events } = readMessages(await response.text())
    expect(error).toEqual({ type: 'api_error', message: 'it stumbled' })
    expect(events.filter(({ type }) => type === 'error')).toHaveLength(1)
    expect(await record(response)).toMatchObject({ status: 'failed', input_tokens: 12, error_message: 'it stumbled' })
  })

  test('a damaged frame after content breaks the stream loudly, and the connection is hung up (REL-13, REL-8)', async () => {
    const damaged = Buffer.from(chunk(CLOSE))
    damaged[damaged.length - 1]! ^= 1
    let hungUp: Promise<void> | null = null
    const { send } = await scene({
      platform: 'bedrock',
      async script(_, reply) {
        hungUp = reply.whenGone
        reply.head(200, { 'content-type': 'application/vnd.amazon.eventstream' })
        await sendPieces(reply, [...[START, BLOCK, DELTA].map(chunk), damaged])
      },
    })
    const response = await send('/v1/messages', REQUEST)
    expect(readMessages(await response.text()).error?.type).toBe('api_error')
    await hungUp!
    expect(await record(response)).toMatchObject({ status: 'failed', error_code: 'upstream_stream_broken' })
  })

  test('a guardrail’s block is one good answer (quirk 24)', async () => {
    const blocked = { outputText: 'No.', inputTextTokenCount: 9, totalOutputTextTokenCount: 4 }
    const { send } = await scene({
      platform: 'bedrock',
      script: streams([chunk({ ...blocked, 'amazon-bedrock-guardrailAction': 'INTERVENED' })]),
    })
    const response = await send('/v1/messages', REQUEST)
    expect(readMessages(await response.text()).message).toMatchObject({
      stop_reason: 'refusal',
      content: [{ text: 'No.' }],
    })
    expect(await record(response)).toMatchObject({ status: 'completed', input_tokens: 9, output_tokens: 4 })
  })
})

describe('who reaches Bedrock', () => {
  test('keys of its groups, with the permission for it, on Anthropic’s endpoints only (KEY-5, ACC-12)', async () => {
    const script = streams(GOOD)
    const allowed = await scene({ platform: 'bedrock', key: { permissions: ['bedrock'] }, script })
    expect((await allowed.send('/v1/messages', REQUEST)).status).toBe(200)
    const claude = await scene({ platform: 'bedrock', key: { permissions: ['claude'] }, script })
    const refused = await claude.send('/v1/messages', REQUEST)
    expect(refused.status).toBe(403)
    expect(await refused.json()).toMatchObject({ error: { type: 'permission_error' } })
    expect((await allowed.send('/v1/chat/completions', '{"model":"m","messages":[]}')).status).toBe(403)
    expect([allowed.upstream.requests.length, claude.upstream.requests.length]).toEqual([1, 0])
  })

  test('a key bound to an account reaches only that one (KEY-5)', async () => {
    const { accounts, upstream } = await scene({
      platform: 'bedrock',
      accounts: [
        { path: '/a', priority: 1 },
        { path: '/b', priority: 2 },
      ],
      script: streams(GOOD),
    })
    const { admin, url } = gateway()
    const { group_ids: groups } = await admin<{ group_ids: string[] }>('GET', `/admin/accounts/${accounts[1]}`)
    const bound = { name: 'bound', group_id: groups[0], bound_accounts: { bedrock: accounts[1] } }
    const { api_key: key } = await admin<{ api_key: string }>('POST', '/admin/keys', bound)
    const response = await fetch(`${url}/v1/messages`, { method: 'POST', headers: { 'x-api-key': key }, body: REQUEST })
    await response.text()
    expect(upstream.requests.map(({ target }) => target)).toEqual([`/b${STREAM_PATH}`])
  })

  test('its models are listed by the names that clients use (ACC-2)', async () => {
    const { key } = await scene({ platform: 'bedrock' })
    const headers = { 'x-api-key': key, 'anthropic-version': '2023-06-01' }
    const list = (await (await fetch(`${gateway().url}/v1/models`, { headers })).json()) as { data: { id: string }[] }
    const ids = list.data.map(({ id }) => id)
    expect(ids).toContain('claude-sonnet-4-5-20250929')
    expect(ids.some((id: string) => id.includes('nova'))).toBe(false)
  })

  test('without groups, every key that may: Bedrock’s accounts stand beside Anthropic’s own (ACC-13, KEY-5)', async () => {
    const bedrock = await simple.scene({
      platform: 'bedrock',
      key: { permissions: ['bedrock'] },
      script: streams(GOOD),
    })
    const anthropic = await simple.scene({
      platform: 'anthropic',
      accounts: [{ priority: 1 }],
      key: { permissions: ['claude'] },
      script: (_, reply) => answer(reply, 200, BODY),
    })
    expect((await bedrock.send('/v1/messages', REQUEST)).status).toBe(200)
    expect((await anthropic.send('/v1/messages', WHOLE)).status).toBe(200)
    const { key } = await simple.scene({ platform: 'openai' })
    const headers = { 'x-api-key': key }
    const any = await fetch(`${simple.gateway().url}/v1/messages`, { method: 'POST', headers, body: WHOLE })
    expect(any.status).toBe(200)
    expect([bedrock.upstream.requests.length, anthropic.upstream.requests.length]).toEqual([1, 2])
  })
})
