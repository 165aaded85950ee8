/**
 * What an end-to-end test plays in: the file's gateway, and for each test its own provider, accounts, group and key, so that a cooldown or a
 * session of one test means nothing to the next.
 */
import { afterAll, afterEach, beforeAll, setDefaultTimeout } from 'bun:test'
import { type Gateway, startGateway } from './gateway.ts'
import { openRaw, type RawClient, type RawRequest } from './raw-client.ts'
import { type Script, type ScriptedUpstream, startUpstream } from './scripted-upstream.ts'
import { until } from './until.ts'

export type Platform = 'openai' | 'anthropic' | 'gemini' | 'bedrock'

export const AWS_SECRET = 'secret/of+the/AWS/account'

/** What an account signs in with unless a test says otherwise. */
const SIGN_IN: Readonly<Record<string, (index: number) => Record<string, string>>> = {
  api_key: (index) => ({ api_key: `sk-of-account-${index}` }),
  oauth: () => ({}),
  aws: (index) => ({
    aws_access_key_id: `AKIAOFTHEACCOUNT${index}`,
    aws_secret_access_key: AWS_SECRET,
    aws_region: 'us-east-1',
  }),
}

/** Fields of an account as the admin API takes them; `credentials` are laid over an API key and the provider's URL. */
export type AccountFields = { credentials?: Record<string, unknown>; path?: string; [field: string]: unknown }

export interface SceneOptions {
  platform?: Platform
  script?: Script
  /** One plain account when left out. `path`: put behind the provider's URL, to tell accounts apart by what they call. */
  accounts?: AccountFields[]
  key?: Record<string, unknown>
}

export interface Scene {
  upstream: ScriptedUpstream
  /** Ids, in the order given. */
  accounts: string[]
  /** The client's API key. */
  key: string
  keyId: string
  /** A POST with the key as Bearer; a body that is an object is sent as JSON. */
  send(
    path: string,
    body: unknown,
    init?: { headers?: Record<string, string>; signal?: AbortSignal },
  ): Promise<Response>
  /** A request by hand, with the key as Bearer. */
  raw(request: RawRequest): Promise<RawClient>
}

/** What tests read of a usage record (contract.md); the rest is in the index signature. */
export interface UsageRecord {
  id: string
  status: string
  http_status: number
  error_code: string | null
  error_message: string | null
  metering: string
  input_tokens: number
  output_tokens: number
  model: string
  upstream_model: string | null
  first_token_ms: number | null
  duration_ms: number
  attempts: { account_id: string; status: number | null; reason: string | null }[]
  [field: string]: unknown
}

export interface GatewayUse {
  gateway(): Gateway
  scene(options?: SceneOptions): Promise<Scene>
  /** The record of a request, as soon as it is written. */
  record(answer: Response | string): Promise<UsageRecord>
}

/** Building the binary and packing Postgres may come before the first start. */
const START_LIMIT_MS = 180_000

/** Both transports must pass: `E2E_TRANSPORT=socket` or `fetch` chooses one; otherwise it is the default. */
const TRANSPORT: Record<string, string> = process.env.E2E_TRANSPORT
  ? { UPSTREAM_TRANSPORT: process.env.E2E_TRANSPORT }
  : {}

/** Conditions have their own deadlines; this one is for a machine that is busy with other things. */
const TEST_LIMIT_MS = 30_000

export function useGateway(settings: Record<string, string> = {}): GatewayUse {
  setDefaultTimeout(TEST_LIMIT_MS)
  let running: Gateway | null = null
  const upstreams: ScriptedUpstream[] = []
  let scenes = 0

  function gateway(): Gateway {
    if (running === null) throw new Error('the gateway is not started yet')
    return running
  }
  beforeAll(async () => {
    running = await startGateway({ FLUSH_INTERVAL_MS: '20', ...TRANSPORT, ...settings })
  }, START_LIMIT_MS)
  afterEach(async () => {
    await Promise.all(upstreams.splice(0).map((upstream) => upstream.stop()))
  })
  afterAll(async () => {
    await running?.remove()
  }, START_LIMIT_MS)

  return {
    gateway,
    async scene(options = {}) {
      const upstream = await startUpstream(options.script)
      upstreams.push(upstream)
      return openScene(gateway(), upstream, { name: `scene-${++scenes}`, ...options })
    },
    async record(answer) {
      const id = typeof answer === 'string' ? answer : requestIdOf(answer)
      return until(() => gateway().admin<UsageRecord>('GET', `/admin/requests/${id}`).catch(isMissing), {
        what: `the record of ${id}`,
      })
    },
  }
}

export interface NamedScene extends SceneOptions {
  name: string
}

interface Made {
  id: string
}

export async function openScene(
  { admin, url }: Gateway,
  upstream: ScriptedUpstream,
  options: NamedScene,
): Promise<Scene> {
  const { name, platform = 'openai' } = options
  const group = await admin<Made>('POST', '/admin/groups', { name, platform })
  const accounts: string[] = []
  for (const fields of options.accounts ?? [{}]) {
    const account = accountBody(fields, { platform, number: accounts.length, upstreamUrl: upstream.url })
    const body = { name: `${name}-${accounts.length}`, platform, group_ids: [group.id], ...account }
    accounts.push((await admin<Made>('POST', '/admin/accounts', body)).id)
  }
  const { id: keyId, api_key: key } = await admin<Made & { api_key: string }>('POST', '/admin/keys', {
    name,
    group_id: group.id,
    ...options.key,
  })
  const authorization = `Bearer ${key}`
  return {
    upstream,
    accounts,
    key,
    keyId,
    send: (path, body, { headers = {}, signal } = {}) =>
      fetch(url + path, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
        signal,
      }),
    raw: (request) => openRaw(url, { ...request, headers: { authorization, ...request.headers } }),
  }
}

function accountBody(
  { credentials, path = '', ...fields }: AccountFields,
  { platform, number, upstreamUrl }: { platform: Platform; number: number; upstreamUrl: string },
) {
  const type = String(fields.type ?? (platform === 'bedrock' ? 'aws' : 'api_key'))
  return { type, ...fields, credentials: { base_url: upstreamUrl + path, ...SIGN_IN[type]?.(number), ...credentials } }
}

export function requestIdOf(answer: Response): string {
  const id = answer.headers.get('x-turnpike-request-id')
  if (id === null) throw new Error('the answer has no x-turnpike-request-id')
  return id
}

function isMissing(error: Error): null {
  if (error.message.includes(': 404 ')) return null
  throw error
}
