/**
 * The relay with everything of its own and nothing around it: accounts, keys and clock in memory, an upstream that the test scripts.
 * What leaves through the upstream, and each receipt, is kept for looking at.
 */

import type { AccountPool } from '../../src/core/account-pool.ts'
import type { Account, ApiKey, Group, User } from '../../src/core/entities.ts'
import type { PriceRow } from '../../src/core/price.ts'
import { createPriceIndex } from '../../src/core/price-index.ts'
import type { Receipt } from '../../src/core/receipt.ts'
import type { Subscription } from '../../src/core/subscription.ts'
import type { Credentials } from '../../src/credentials/credentials.ts'
import { createByteBudget } from '../../src/lib/byte-budget.ts'
import { createWaitQueue, scheduleTimeout } from '../../src/lib/wait-queue.ts'
import { createWatchdog } from '../../src/lib/watchdog.ts'
import { OPERATIONS, type OperationId } from '../../src/protocols/operations.ts'
import { PROTOCOLS } from '../../src/protocols/table.ts'
import { createRelay, type RelayDeps } from '../../src/relay/relay.ts'
import type { RelaySettings } from '../../src/relay/settings.ts'
import type { UpstreamAnswer, UpstreamRequest } from '../../src/relay/upstream.ts'
import { type AccountSlots, createAccountSlots } from '../../src/state/account-slots.ts'
import { createDirectory } from '../../src/state/directory.ts'
import { createHealth } from '../../src/state/health.ts'
import { createKeyAttempts } from '../../src/state/key-attempts.ts'
import { createLimiter } from '../../src/state/limiter.ts'
import { createMemoryCounters } from '../../src/state/memory-counters.ts'
import { createSticky, type Sticky } from '../../src/state/sticky.ts'
import type { Totals } from '../../src/state/totals.ts'
import { makeGroup, makeKey, makeUser } from './make.ts'

/** What the scripted upstream does with a request. `hang`: never answers, until it is aborted. */
export type Script = (request: UpstreamRequest, accountSecret: string) => Answered | Promise<Answered>
export type Answered = Response | 'refuse-connection' | 'hang'

interface OwnCapacity {
  pool: AccountPool
  onFree(): void
  anyoneWaits(): boolean
  nowMs(): number
}

export interface TestRelayOptions {
  accounts: Account[]
  script: Script
  keys?: ApiKey[]
  groups?: Group[]
  user?: Partial<User>
  settings?: Partial<RelaySettings>
  /** What it shares with other instances (OPS-4); nothing, when left out. */
  share?(own: OwnCapacity): { slots: AccountSlots; sticky: Sticky }
  subscription?: Subscription
  /** None: everything is unpriced. */
  prices?: readonly PriceRow[]
  /** What the database knows of keys and money. */
  totals?: Partial<Totals>
  /** What the end of an answer waits for (JOURNAL_SYNC=each). */
  recorded?(): Promise<void> | null
}

export interface TestCall {
  /** Null: none is sent. */
  key?: string | null
  headers?: Record<string, string>
  signal?: AbortSignal
  /** Path and query, where they are not those of the operation. */
  path?: string
  address?: string
}

const SETTINGS: RelaySettings = {
  runMode: 'standard',
  maxBodyBytes: 1_000_000,
  maxAnswerBytes: 1_000_000,
  connectTimeoutMs: 10_000,
  firstByteTimeoutMs: 600_000,
  streamIdleTimeoutMs: 300_000,
  requestTimeoutMs: 3_600_000,
  sseKeepaliveMs: 0,
  commitWaitMs: 2000,
  onClientDisconnect: 'drain',
  drainTimeoutMs: 60_000,
  maxRetryAfterMs: 60_000,
  maxAttempts: 5,
  failoverBudgetMs: 60_000,
  queueTimeoutMs: 10_000,
  stickyWaitMs: 1000,
  recordClientIp: false,
  recordHeaders: false,
  recordBodies: false,
  recordBodyBytes: 16_384,
  unpricedModels: 'allow',
  reserveOutputTokens: 4096,
  defaultRateMultiplier: 1_000_000,
}

/** API keys only; tokens are tested in test/credentials. */
const API_KEYS: Credentials = {
  secretOf: (account) => account.credentials.apiKey ?? null,
  refreshAfter401: async () => null,
  sign: async () => null,
  troubleOf: () => null,
  refreshNow: () => Promise.reject(new Error('not in this test')),
  refreshDue: async () => ({ refreshed: 0, failed: 0 }),
}

export async function createTestRelay(options: TestRelayOptions) {
  const clock = { nowMs: Date.parse('2026-11-22T12:00:00Z') }
  const nowMs = () => clock.nowMs
  const sent: UpstreamRequest[] = []
  const receipts: Receipt[] = []
  const keys = options.keys ?? [makeKey()]
  const directory = createDirectory({
    loader: {
      loadAll: async () => ({
        users: [makeUser(options.user)],
        groups: options.groups ?? [makeGroup()],
        keys: keys.map((key) => ({ key, hash: `hash of ${key.id}`, previous: null })),
        accounts: options.accounts,
        subscriptions: [],
      }),
      loadUser: async () => null,
      loadGroup: async () => null,
      loadKey: async () => null,
      loadAccount: async () => null,
      loadSubscription: async () => null,
    },
    hashKey: (secret) => `hash of ${secret}`,
    poolsOf: (account) => account.groupIds,
    nowMs,
  })
  await directory.load()
  const settings = { ...SETTINGS, ...options.settings }
  const health = createHealth({ pool: directory.pool, nowMs, onChange: () => undefined })
  const share =
    options.share ??
    (({ pool, onFree }) => ({ slots: createAccountSlots({ pool, onFree }), sticky: createSticky({ nowMs }) }))
  const watchdog = createWatchdog({ nowMs, sweepEveryMs: 0 })
  const queue = createWaitQueue({ most: 100, schedule: scheduleTimeout })
  const prices = {
    account: null,
    operator: createPriceIndex([], { aliases: false }),
    builtIn: createPriceIndex(options.prices ?? [], { aliases: true }),
  }
  const counters = createMemoryCounters({ nowMs })
  const keyAttempts = createKeyAttempts({ clock: { nowMs }, onSlowed: () => undefined })
  const deps: RelayDeps = {
    nowMs,
    settings,
    directory,
    keyAttempts,
    health,
    queue,
    bodies: createByteBudget({ mostBytes: 1_000_000_000, patienceMs: 1000, schedule: scheduleTimeout }),
    watchdog,
    ...share({ pool: directory.pool, onFree: queue.offer, anyoneWaits: () => queue.size > 0, nowMs }),
    credentials: API_KEYS,
    limiter: createLimiter({
      counters,
      loadTotals: async () => ({ recordedIds: [], key: null, fundsNano: null, subscription: null, ...options.totals }),
      nowMs,
      timeZone: 'UTC',
      onLoadFailure: () => undefined,
    }),
    findSubscription: () => options.subscription ?? null,
    upstream: { send: (request) => send(options.script, request, sent) },
    live: new Set(),
    prices: () => prices,
    accept(receipt, exchange) {
      deps.live.delete(exchange)
      receipts.push(receipt)
      return options.recorded?.() ?? null
    },
    closed: () => null,
    onUnauthenticated: () => undefined,
    onFirstUse: () => undefined,
    onCrash: (error) => {
      throw error
    },
  }
  const relay = createRelay(deps)

  async function call(operationId: OperationId, body: unknown, over: TestCall = {}) {
    const operation = OPERATIONS[operationId]
    const url = new URL(`http://gateway${over.path ?? `/v1${operation.path}`}`)
    const { key = 'key-1' } = over
    const authorization: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` }
    const request = new Request(url.href, {
      method: 'POST',
      headers: { ...authorization, 'content-type': 'application/json', ...over.headers },
      body: typeof body === 'string' || body instanceof ReadableStream ? body : JSON.stringify(body),
      ...(over.signal ? { signal: over.signal } : {}),
    })
    return relay({
      request,
      target: url,
      protocol: PROTOCOLS[operation.protocol],
      operation,
      version: 'v1',
      address: () => over.address ?? null,
      queryKey: null,
    })
  }
  /** Requests in flight on an account. */
  const inFlight = (id: string) => directory.pool.get(id)?.inFlight ?? 0
  return { call, clock, counters, deps, directory, health, inFlight, queue, receipts, sent, watchdog }
}

function send(script: Script, request: UpstreamRequest, sent: UpstreamRequest[]) {
  sent.push(request)
  const aborted = Promise.withResolvers<never>()
  aborted.promise.catch(() => undefined)
  const secret = (request.headers.authorization ?? request.headers['x-api-key'] ?? '').replace('Bearer ', '')
  const answer = Promise.race([
    Promise.resolve(script(request, secret)).then((answered) => toAnswer(answered, aborted.promise)),
    aborted.promise,
  ])
  answer.catch(() => undefined)
  return { answer, limitsConnect: true, abort: (reason: string) => aborted.reject(new Error(reason)) }
}

async function toAnswer(answered: Answered, aborted: Promise<never>): Promise<UpstreamAnswer> {
  if (answered === 'refuse-connection') throw new Error('connection refused')
  if (answered === 'hang') return aborted
  return {
    status: answered.status,
    headers: answered.headers,
    body: {
      async pipe(onChunk) {
        const reader = answered.body?.getReader()
        for (;;) {
          const next = await Promise.race([reader?.read(), aborted])
          if (!next || next.done) return
          await onChunk(next.value)
        }
      },
      bytes: () => answered.bytes(),
    },
  }
}

/** A complete chat answer that is not a stream. */
export function chatAnswer(text = 'hello'): Response {
  return Response.json({
    id: 'c1',
    object: 'chat.completion',
    model: 'gpt-5.4',
    choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
  })
}

export function errorAnswer(status: number, headers: Record<string, string> = {}, body?: unknown): Response {
  return Response.json(body ?? { error: { message: `scripted ${status}`, type: 'scripted', code: null } }, {
    status,
    headers,
  })
}

export function sseAnswer(...events: string[]): Response {
  return new Response(events.join(''), { headers: { 'content-type': 'text/event-stream' } })
}

export const CHAT = { model: 'gpt-5.4', messages: [{ role: 'user', content: 'hi' }] }
