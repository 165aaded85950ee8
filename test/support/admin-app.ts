/** The whole admin API over a real database, without a port. */
import { createActivityCache } from '../../src/admin/activity-cache.ts'
import { type Admin, createAdmin } from '../../src/admin/admin.ts'
import { type LiveSource, NOTHING_LIVE } from '../../src/admin/live.ts'
import { openAccess } from '../../src/app/open-access.ts'
import { openPrices } from '../../src/app/open-prices.ts'
import { openStatistics } from '../../src/app/open-statistics.ts'
import { readConfig } from '../../src/config/read-config.ts'
import { RuntimeSettings, RuntimeSettingsPatch, runtimeSettingsOf } from '../../src/config/runtime-settings.ts'
import { checkValue } from '../../src/core/check-value.ts'
import { isDatabaseAway } from '../../src/db/away.ts'
import { insertDefaultGroups } from '../../src/db/bootstrap.ts'
import type { Change } from '../../src/db/changes.ts'
import { createCallerCheck } from '../../src/http/admin/authenticate.ts'
import type { Call } from '../../src/http/admin/call.ts'
import { adminCalls } from '../../src/http/admin/calls.ts'
import { createClientAddress } from '../../src/http/client-address.ts'
import { createHttpApp } from '../../src/http/server.ts'
import { createLog } from '../../src/lib/log.ts'
import { createSecretbox, deriveSecret } from '../../src/lib/secretbox.ts'
import type { KeyUsage } from '../../src/state/key-usage.ts'
import { freshDatabase } from './database.ts'

export const ROOT_TOKEN = 'root-token-of-the-tests'

export interface Answer {
  status: number
  headers: Headers
  text: string
  // What an answer holds is what the tests are about; they name the fields that they read.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  json: any
}

/** `environment`: settings that a test needs; `live`: requests under way. */
export async function adminApp(environment: Record<string, string> = {}, live: LiveSource = NOTHING_LIVE) {
  const database = await freshDatabase()
  await insertDefaultGroups(database.db)
  const opened = await openPrices(database.db)
  const config = await readConfig({ environment })
  if ('problems' in config) throw new Error(config.problems.join())
  const lines: string[] = []
  const changes: Change[] = []
  /** What the counters are to know of keys, and who was asked about at a time. */
  const keyUsages = new Map<string, KeyUsage>()
  const usageReads: string[][] = []
  const time = { nowMs: Date.UTC(2026, 7, 1) }
  const clock = { nowMs: () => time.nowMs }
  const log = createLog({ pretty: false, write: (line) => lines.push(line) })
  const box = createSecretbox('encryption key of the tests')
  const activityCache = createActivityCache(clock)
  const statistics = openStatistics({ config, sql: database.sql, log, flush: async () => {} })
  const admin: Admin = createAdmin({
    db: database.db,
    sql: database.sql,
    live,
    box,
    pepper: deriveSecret('encryption key of the tests', 'api key pepper v1'),
    apiKeyPrefix: 'tp_',
    outbound: { allowPrivate: true },
    clock,
    prices: async () => opened.prices,
    priceSource: config.priceSource,
    timeZone: config.timezone,
    activityCache,
    statistics,
    async onChange(change) {
      if (change.kind === 'user') activityCache.forgetUser(change.id)
      changes.push(change)
      if (change.kind === 'price') await opened.reload()
    },
    rootToken: ROOT_TOKEN,
    configured: runtimeSettingsOf(config),
    access: openAccess({ config, database, box }),
    async keyUsages(ids) {
      usageReads.push([...ids])
      return keyUsages
    },
  })
  const authenticate = createCallerCheck({
    verifyToken: admin.tokens.verify,
    clientAddress: createClientAddress([]),
    clock,
    log,
  })
  const calls = adminCalls(admin, { view: RuntimeSettings, patch: RuntimeSettingsPatch })
  const app = createHttpApp({
    log,
    version: '0.0.0',
    checks: [],
    admin: { calls, deps: { authenticate, log, isDatabaseAway } },
  })

  async function ask(method: string, path: string, body?: unknown, token: string | null = ROOT_TOKEN): Promise<Answer> {
    const request = new Request(`http://localhost${path}`, {
      method,
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const answer = await app.handle(request)
    const contentType = answer.headers.get('content-type')
    const isFeed = contentType === 'text/event-stream'
    const text = isFeed ? await firstChunk(answer) : await answer.text()
    const json = contentType === 'application/json' ? JSON.parse(text) : null
    if (answer.ok) checkAnswer(calls, method, path, { status: answer.status, contentType, json })
    return { status: answer.status, headers: answer.headers, text, json }
  }
  return { database, admin, app, calls, statistics, ask, lines, changes, keyUsages, usageReads, time, log }
}

/** A feed has no end: its reader leaves after the first event. */
async function firstChunk(answer: globalThis.Response): Promise<string> {
  const reader = answer.body!.getReader()
  const { value } = await reader.read()
  await reader.cancel()
  return new TextDecoder().decode(value)
}

interface Answered {
  status: number
  contentType: string | null
  json: unknown
}

/** Every good answer of every test must be what Swagger says of it. */
function checkAnswer(calls: readonly Call[], method: string, path: string, answered: Answered): void {
  const { status, contentType, json } = answered
  const [plain = ''] = path.split('?')
  const fits = (call: Call) =>
    call.method === method && new RegExp(`^${call.path.replace(/:\w+/, '[^/]+')}$`).test(plain)
  const call = calls.find((candidate) => candidate.path === plain && fits(candidate)) ?? calls.find(fits)
  if (!call) return
  if (status !== call.status) throw new Error(`${method} ${path} answered ${status}, documented is ${call.status}`)
  if (call.streams) {
    if (!Object.hasOwn(call.streams, String(contentType).split(';')[0] ?? ''))
      throw new Error(`${method} ${path}: ${contentType} is not documented`)
    return
  }
  const mismatch = call.answer ? checkValue(call.answer, json) : json === null ? null : { message: 'no body expected' }
  if (mismatch) throw new Error(`${method} ${path}: the answer is not as documented: ${mismatch.message}`)
}

export type AdminApp = Awaited<ReturnType<typeof adminApp>>
