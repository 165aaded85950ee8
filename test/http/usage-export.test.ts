import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import type { Receipt } from '../../src/core/receipt.ts'
import { insertReceipts } from '../../src/db/receipts.ts'
import { usageExportCall } from '../../src/http/admin/usage-export.ts'
import { listen } from '../../src/http/server.ts'
import { type StreamedAnswer, streamAnswer } from '../../src/http/stream-answer.ts'
import { type AdminApp, adminApp, ROOT_TOKEN } from '../support/admin-app.ts'
import { makeReceipt, NOON } from '../support/receipts.ts'
import { seedKey, seedUser } from '../support/seed.ts'
import { until } from '../support/until.ts'

let api: AdminApp
beforeAll(async () => {
  api = await adminApp()
})
afterAll(() => api.database.drop())

async function store(receipts: Receipt[]): Promise<void> {
  const { rejected } = await insertReceipts(api.database.sql, receipts, { timeZone: 'UTC' })
  expect(rejected).toEqual([])
}

const many = (count: number, model: string) =>
  Array.from({ length: count }, (_, index) => makeReceipt({ model, createdAtMs: NOON + (index >> 1) }))

const idsOf = (jsonl: string) =>
  jsonl
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line).id)

describe('GET /admin/usage/export (USE-11)', () => {
  test('as JSON Lines holds every record once, newest first, over many pages, as the list shows it', async () => {
    const receipts = many(1234, 'many')
    await store(receipts)
    const { text, headers } = await api.ask('GET', '/admin/usage/export?format=jsonl&model=many')
    expect(headers.get('content-type')).toBe('application/jsonl')
    expect(headers.get('content-disposition')).toBe('attachment; filename="usage.jsonl"')
    expect(headers.get('x-turnpike-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    const newestFirst = receipts.toSorted((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1))
    expect(idsOf(text)).toEqual(newestFirst.map(({ id }) => id))
    const [shown] = (await api.ask('GET', '/admin/usage?model=many&limit=1')).json.data
    const names = { username: null, key_name: null, account_name: null, group_name: null }
    expect(JSON.parse(text.split('\n')[0]!)).toEqual({ ...shown, ...names })
  })

  test('takes the filters of the list, and an empty answer is a head without lines', async () => {
    await store([makeReceipt({ model: 'filtered', status: 'failed' }), makeReceipt({ model: 'filtered' })])
    const failed = await api.ask('GET', '/admin/usage/export?format=jsonl&model=filtered&status=failed')
    expect(idsOf(failed.text).length).toBe(1)
    const none = await api.ask('GET', '/admin/usage/export?model=nobody-asks-for')
    expect(none.text.split('\r\n').slice(1)).toEqual([''])
    expect(none.headers.get('content-type')).toBe('text/csv; charset=utf-8')
    expect((await api.ask('GET', '/admin/usage/export?format=jsonl&model=nobody-asks-for')).text).toBe('')
  })

  test('as CSV names users and keys, deleted or not, and no word of a stranger is a formula (KEY-12)', async () => {
    const { db } = api.database
    const user = await seedUser(db, { username: '@user' })
    const key = await seedKey(db, { name: 'a key, "quoted"' })
    await store([makeReceipt({ model: '=cmd()', userAgent: '+1', errorMessage: '-2', userId: user.id, keyId: key.id })])
    await api.ask('DELETE', `/admin/users/${user.id}`)
    await api.ask('DELETE', `/admin/keys/${key.id}`)
    const { text } = await api.ask('GET', `/admin/usage/export?user_id=${user.id}`)
    const [head = '', line = ''] = text.split('\r\n')
    expect(head.split(',').slice(0, 3)).toEqual(['id', 'user_id', 'key_id'])
    expect(head.split(',').slice(-4)).toEqual(['username', 'key_name', 'account_name', 'group_name'])
    for (const cell of ["'=cmd()", "'+1", "'-2", "'@user", '"a key, ""quoted"""']) expect(line).toContain(`,${cell},`)
  })

  test('reads no further than its client does, and stops when the client leaves', async () => {
    await store(many(1600, 'long'))
    let pages = 0
    let ended = false
    const call = usageExportCall((filter) => counted(api.admin.usage.read(filter)))
    async function* counted(all: ReturnType<AdminApp['admin']['usage']['read']>): typeof all {
      try {
        for await (const page of all) {
          pages++
          yield page
        }
      } finally {
        ended = true
      }
    }
    const found = await call.handle({ query: { format: 'jsonl', model: 'long' } } as never)
    const answer = streamAnswer(found as StreamedAnswer, { onFailure: () => {} })
    expect(pages).toBe(0)
    const reader = answer.body!.getReader()
    await reader.read()
    await reader.read()
    expect([pages, ended]).toEqual([2, false])
    await reader.cancel()
    expect([pages, ended]).toEqual([2, true])
  })

  test('over a real connection a client that does not read holds it up, and one that hangs up ends it', async () => {
    let made = 0
    let ended = false
    async function* endless(): AsyncGenerator<string> {
      try {
        for (;;) {
          made++
          yield 'x'.repeat(100_000)
        }
      } finally {
        ended = true
      }
    }
    const answer = () =>
      streamAnswer({ contentType: 'text/csv', fileName: 'x.csv', pieces: endless() }, { onFailure: () => {} })
    const server = Bun.serve({ port: 0, idleTimeout: 0, fetch: answer })
    const client = connect(server.port!, 'localhost')
    client.pause()
    client.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
    // Socket buffers fill; then nothing more is made, however often we look.
    let [before, looks] = [0, 0]
    const isStill = () => {
      looks = made > 0 && made === before ? looks + 1 : 0
      before = made
      return looks === 20
    }
    await until(isStill, { what: 'the making stands still' })
    expect(made).toBeLessThan(500)
    client.destroy()
    await until(() => ended, { what: 'the making is ended' })
    await server.stop(true)
  })

  test('a database that goes away half way cuts the connection, so that half an export is not taken for a whole', async () => {
    const lost = await adminApp()
    await insertReceipts(lost.database.sql, many(4000, 'half'), { timeZone: 'UTC' })
    const listening = listen(lost.app, { host: 'localhost', port: 0, maxRequestBytes: 1000 })
    const answer = await fetch(`http://localhost:${listening.port}/admin/usage/export?format=jsonl`, {
      headers: { authorization: `Bearer ${ROOT_TOKEN}` },
    })
    expect(answer.status).toBe(200)
    const closed = lost.database.close()
    const outcome = await answer.text().then(
      (text) => (idsOf(text).length === 4000 ? 'whole' : 'half, taken for a whole'),
      () => 'cut',
    )
    await closed
    expect(outcome).toBe('cut')
    expect(lost.lines.join()).toContain('a streamed answer broke off')
    await listening.stop(true)
    await lost.database.drop()
  })
})
