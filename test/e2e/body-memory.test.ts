/** All request bodies together have a budget (OPS-11, REL-16): the gateway's memory does not follow its clients' wishes. */
import { expect, test } from 'bun:test'
import { CHAT } from '../support/dialects.ts'
import { residentBytes } from '../support/process-memory.ts'
import { useGateway } from '../support/scene.ts'
import { answer, type Reply } from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

const MB = 1024 * 1024
const BUDGET = 16 * MB
const { gateway, scene, record } = useGateway({
  MAX_BODY_BYTES: String(12 * MB),
  MAX_BODY_MEMORY_BYTES: String(BUDGET),
})

const bodyOf = (bytes: number) => `{"model":"gpt-5-mini","messages":[],"pad":"${'x'.repeat(bytes)}"}`
const heldBytes = async () => {
  const text = await (await fetch(`${gateway().url}/metrics`)).text()
  return Number(/^turnpike_request_body_bytes (\d+)$/m.exec(text)?.[1])
}

test('beyond it large requests are a 503 that says when to come again, small ones go on, and room that comes free is used (OPS-11, REL-16)', async () => {
  const waiting: Reply[] = []
  const { send } = await scene({
    script: (request, reply) => {
      if (request.body.length > MB) waiting.push(reply)
      else answer(reply, 200, CHAT.body)
    },
  })
  const first = send(CHAT.wholePath, bodyOf(10 * MB))
  await until(() => waiting.length === 1, { what: 'the first large request at its provider' })
  expect(await heldBytes()).toBeGreaterThan(10 * MB)

  const refused = await send(CHAT.wholePath, bodyOf(10 * MB))
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2'])
  expect(await refused.json()).toMatchObject({ error: { type: 'overloaded_error', code: 'request_memory_full' } })
  expect(await record(refused)).toMatchObject({ status: 'failed', error_code: 'request_memory_full', cost_usd: 0 })

  expect((await send(CHAT.wholePath, CHAT.wholeRequest)).status).toBe(200)

  const patient = send(CHAT.wholePath, bodyOf(10 * MB))
  answer(waiting[0]!, 200, CHAT.body)
  expect((await first).status).toBe(200)
  await until(() => waiting.length === 2, { what: 'the patient request at its provider' })
  answer(waiting[1]!, 200, CHAT.body)
  expect((await patient).status).toBe(200)
  await until(async () => (await heldBytes()) === 0, { what: 'everything given back' })
})

test('forty clients who send ten megabytes each cost no more memory than the budget, however they send them (OPS-11)', async () => {
  const { raw } = await scene()
  const before = residentBytes(gateway().pid)
  const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`
  const clients = await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      raw({
        path: CHAT.path,
        headers: index % 2 ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(10 * MB) },
      }),
    ),
  )
  for (const [index, client] of clients.entries()) {
    for (let i = 0; i < 160; i++) client.write(index % 2 ? chunk : 'x'.repeat(65_536))
  }
  const most = { held: 0, resident: 0 }
  await until(
    async () => {
      most.held = Math.max(most.held, await heldBytes())
      most.resident = Math.max(most.resident, residentBytes(gateway().pid))
      const statuses = await Promise.all(clients.map((client) => (client.bodyBytes > 0 || client.closed ? 1 : 0)))
      return statuses.filter(Boolean).length >= 38
    },
    { what: 'an answer for nearly all of them', everyMs: 20, withinMs: 20_000 },
  )
  for (const client of clients) client.leave()
  expect(most.held).toBeLessThanOrEqual(BUDGET + 40 * 64 * 1024)
  // Without the budget it would be 400 MB; what sockets buffer is beside it.
  expect(most.resident - before).toBeLessThan(150 * MB)
  await until(async () => (await heldBytes()) === 0, { what: 'everything given back' })
})

test('a client who leaves while its body comes, or waits for room, holds nothing (OPS-11, REL-14)', async () => {
  const { raw } = await scene()
  const client = await raw({ path: CHAT.path, headers: { 'content-length': String(9 * MB) }, body: 'x'.repeat(2 * MB) })
  await until(async () => (await heldBytes()) >= 2 * MB, { what: 'what was sent' })
  client.leave()
  await until(async () => (await heldBytes()) === 0, { what: 'everything given back' })
})
