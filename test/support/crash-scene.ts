/**
 * A gateway that is killed under load, again and again, and what must be true afterwards (BIL-13, OPS-1): every answer that a client received
 * to its end has exactly one usage record and one charge, and there is no record without a request.
 *
 * The clients know nothing but what came over their connections; the check reads records, ledger and balance through the admin API.
 */
import { expect } from 'bun:test'
import { join } from 'node:path'
import { DIALECTS, streamOf } from './dialects.ts'
import type { Gateway } from './gateway.ts'
import { answer, beginStream, type Script, sendPieces } from './scripted-upstream.ts'
import { until } from './until.ts'

export interface CrashScene {
  key: string
  userId: string
}

export interface Load {
  /** Requests whose sending was begun. */
  readonly sent: number
  /** Ids of the answers that came to their end. */
  complete: Set<string>
  /** Answers that broke off or never came. */
  readonly broken: number
  /** Lets requests under way end and sends no more. */
  stop(): Promise<void>
}

const BALANCE_USD = 1000

/** Each dialect's stream or body, after a moment. */
export const anyDialect: Script = async (request, reply) => {
  const dialect = DIALECTS.find(
    ({ path, wholePath }) =>
      request.target.startsWith(path.split('?')[0] ?? path) || request.target.startsWith(wholePath),
  )
  if (!dialect) return reply.reset()
  const isStream = request.target.includes('stream') || request.body.includes('"stream":true')
  await Bun.sleep(Math.random() * 20)
  if (!isStream) return answer(reply, 200, dialect.body)
  const asArray = DIALECTS.find(({ path }) => path === request.target)
  const spoken = dialect.platform === 'gemini' && !request.target.includes('alt=sse') ? (asArray ?? dialect) : dialect
  beginStream(reply, { 'content-type': spoken.contentType })
  await sendPieces(reply, streamOf(spoken))
  reply.end()
}

export async function openCrashScene({ admin }: Gateway, upstreamUrl: string): Promise<CrashScene> {
  const { data: groups } = await admin<{ data: { id: string; platform: string }[] }>('GET', '/admin/groups')
  for (const { id, platform } of groups) {
    await admin('POST', '/admin/accounts', {
      name: platform,
      platform,
      type: 'api_key',
      credentials: { api_key: 'sk-of-the-account', base_url: upstreamUrl },
      group_ids: [id],
    })
  }
  const user = await admin<{ id: string }>('POST', '/admin/users', { email: 'one@example.com', username: 'one' })
  await admin('POST', `/admin/users/${user.id}/balance`, { amount_usd: BALANCE_USD, note: 'for the test' })
  const key = await admin<{ api_key: string }>('POST', '/admin/keys', { name: 'one', user_id: user.id })
  return { key: key.api_key, userId: user.id }
}

/** `url`: of whichever gateway runs now. */
export function startLoad(scene: CrashScene, url: () => string, atATime: number): Load {
  let [sent, broken, isOn] = [0, 0, true]
  const complete = new Set<string>()

  async function client(number: number): Promise<void> {
    for (let turn = number; isOn; turn++) {
      const dialect = DIALECTS[turn % DIALECTS.length]!
      const isStream = turn % 3 !== 0
      sent++
      try {
        const response = await fetch(url() + (isStream ? dialect.path : dialect.wholePath), {
          method: 'POST',
          headers: { authorization: `Bearer ${scene.key}`, 'content-type': 'application/json' },
          body: isStream ? dialect.request : dialect.wholeRequest,
        })
        await response.bytes()
        const id = response.headers.get('x-turnpike-request-id')
        if (response.ok && id) complete.add(id)
        else await Bun.sleep(5)
      } catch {
        broken++
        await Bun.sleep(5)
      }
    }
  }
  const clients = Array.from({ length: atATime }, (_, number) => client(number))
  return {
    get sent() {
      return sent
    },
    complete,
    get broken() {
      return broken
    },
    async stop() {
      isOn = false
      await Promise.all(clients)
    },
  }
}

interface Page<T> {
  data: T[]
  next_cursor: string | null
}

async function all<T>({ admin }: Gateway, path: string): Promise<T[]> {
  const rows: T[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const page: Page<T> = await admin('GET', `${path}?limit=1000${cursor && `&cursor=${cursor}`}`)
    rows.push(...page.data)
    cursor = page.next_cursor
  }
  return rows
}

export interface Books {
  records: number
  charges: number
}

/** Throws what is wrong. The load must have ended. */
export async function checkBooks(gateway: Gateway, scene: CrashScene, load: Load): Promise<Books> {
  await until(async () => (await readiness(gateway)).status === 'ready' || null, {
    what: 'readiness',
    withinMs: 30_000,
  })
  const missing = async () => {
    const ids = new Set((await all<{ id: string }>(gateway, '/admin/usage')).map(({ id }) => id))
    return [...load.complete].filter((id) => !ids.has(id))
  }
  await until(async () => (await missing()).length === 0, {
    what: 'a record for each answer',
    withinMs: 30_000,
    everyMs: 200,
  }).catch(async () => expect(await missing()).toEqual([]))
  const records = await all<{ id: string; charged_usd: number; status: string }>(gateway, '/admin/usage')
  const entries = await all<{ kind: string; request_id: string; amount_usd: number }>(
    gateway,
    `/admin/users/${scene.userId}/ledger`,
  )
  const charges = entries.filter(({ kind }) => kind === 'charge')
  expect(new Set(records.map(({ id }) => id)).size).toBe(records.length)
  expect(records.length).toBeLessThanOrEqual(load.sent)
  const charged = records.filter(({ charged_usd }) => charged_usd > 0)
  expect(charges.map(({ request_id }) => request_id).sort()).toEqual(charged.map(({ id }) => id).sort())
  for (const { id, charged_usd } of records) if (load.complete.has(id)) expect(charged_usd).toBeGreaterThan(0)
  const nano = (usd: number) => Math.round(usd * 1e9)
  const spent = charged.reduce((sum, { charged_usd }) => sum + nano(charged_usd), 0)
  const { balance_usd } = await gateway.admin<{ balance_usd: number }>('GET', `/admin/users/${scene.userId}`)
  expect(nano(balance_usd)).toBe(nano(BALANCE_USD) - spent)
  return { records: records.length, charges: charges.length }
}

/** Ledger, totals and rollups, as `turnpike doctor` sees them: its words when it finds fault, otherwise nothing. */
export async function askDoctor(gateway: Gateway, environment: Record<string, string> = {}): Promise<string> {
  const child = Bun.spawn([join(gateway.folder, 'turnpike'), 'doctor'], {
    cwd: gateway.folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = await new Response(child.stdout).text()
  return (await child.exited) === 0 ? '' : said
}

export async function readiness({
  url,
}: Gateway): Promise<{ status: string; checks: Record<string, string>; code: number }> {
  const response = await fetch(`${url}/readyz`)
  return { ...((await response.json()) as { status: string; checks: Record<string, string> }), code: response.status }
}
