/** Usage statistics of the compiled binary: from a client's request to the snapshot, over a restart, with the commands beside (USE-5 to USE-8). */
import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CHAT } from '../support/dialects.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { answer, startUpstream } from '../support/scripted-upstream.ts'
import { detailOnWire, type SnapshotOnWire, snapshotOf } from '../support/statistics.ts'
import { until } from '../support/until.ts'

setDefaultTimeout(180_000)
const cleanUps: (() => Promise<unknown>)[] = []
afterAll(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp()
}, 60_000)

const snapshotIn = ({ admin }: Gateway) => admin<SnapshotOnWire>('GET', '/admin/statistics')

async function command({ folder }: Gateway, ...argv: string[]): Promise<string> {
  const child = Bun.spawn([join(folder, 'turnpike'), ...argv], { cwd: folder, env: {}, stdout: 'pipe', stderr: 'pipe' })
  const [out, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  return `${await child.exited} ${out}${errors}`.trim()
}

test('requests show at once, outlive a restart, and commands import beside the running gateway (USE-5, USE-7, USE-8)', async () => {
  const upstream = await startUpstream((_, reply) => answer(reply, 200, CHAT.body))
  cleanUps.push(() => upstream.stop())
  const first = await startGateway()
  cleanUps.push(() => first.remove())
  const credentials = { api_key: 'sk-upstream-0123', base_url: upstream.url }
  const body = { name: 'a', platform: 'openai', type: 'api_key', credentials }
  const account = await first.admin<{ id: string }>('POST', '/admin/accounts', body)
  const key = await first.admin<{ id: string; api_key: string }>('POST', '/admin/keys', { name: 'k' })
  const send = async ({ url }: Gateway, request: string) => {
    const headers = { authorization: `Bearer ${key.api_key}`, 'content-type': 'application/json' }
    return (await fetch(`${url}${CHAT.wholePath}`, { method: 'POST', headers, body: request })).status
  }
  expect(await send(first, CHAT.wholeRequest)).toBe(200)
  expect(await send(first, '{"messages":[]}')).toBe(400)
  const shown = await snapshotIn(first)
  expect(shown).toMatchObject({ total_requests: 2, success_count: 1, failure_count: 1 })
  const [detail] = Object.values(shown.apis[key.id]!.models).flatMap(({ details }) =>
    details.filter(({ failed }) => !failed),
  )
  expect(detail).toMatchObject({ source: 'openai', auth_index: account.id })
  expect(detail!.tokens.total_tokens).toBeGreaterThan(0)
  expect(Object.keys(shown.apis[key.id]!.models)).toContain('unknown')

  writeFileSync(join(first.folder, 'old.json'), JSON.stringify(snapshotOf({ 'sk-old': { m: [detailOnWire()] } })))
  expect(await command(first, 'stats', 'import', 'old.json')).toBe('0 1 added, 0 skipped')
  const merged = await until(() => snapshotIn(first).then((now) => now.total_requests === 3 && now), {
    what: 'the running gateway hears of the import',
  })
  await first.stop()

  const second = await startGateway({}, first.folder)
  cleanUps.push(() => second.stop())
  expect(await snapshotIn(second)).toEqual(merged)
  expect(await command(second, 'stats', 'export', 'new.json')).toStartWith('0 new.json: ')
  const exported = JSON.parse(readFileSync(join(second.folder, 'new.json'), 'utf8'))
  expect(exported).toMatchObject({ version: 1, usage: merged })
  expect(await second.admin('POST', '/admin/statistics/import', exported)).toEqual({ added: 0, skipped: 3 })
  expect(await snapshotIn(second)).toEqual(merged)

  await second.admin('PUT', '/admin/statistics/enabled', { enabled: false })
  expect(await send(second, CHAT.wholeRequest)).toBe(200)
  expect((await snapshotIn(second)).total_requests).toBe(3)
  await second.admin('PUT', '/admin/statistics/enabled', { enabled: true })
  expect((await snapshotIn(second)).total_requests).toBe(4)
})
