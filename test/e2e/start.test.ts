/** The binary alone in an empty folder, with an empty environment: it starts, keeps what it was told, and survives being killed (OPS-3). */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { type Gateway, startGateway } from '../support/gateway.ts'

setDefaultTimeout(60_000)

let first: Gateway | null = null
beforeAll(async () => {
  first = await startGateway()
}, 180_000)
afterAll(async () => {
  await first?.remove()
}, 60_000)

interface Page {
  data: { id: string; name: string }[]
}

test('start, stop, start, kill, start: the same token, groups and keys, and nothing but `data` beside the binary (OPS-3, ACC-12)', async () => {
  const { folder, admin, adminToken, log, stop } = first!
  expect(log().match(/admin token/g)).toHaveLength(1)
  expect(log()).toContain(adminToken)
  const { data: groups } = await admin<Page>('GET', '/admin/groups')
  expect(groups.map(({ name }) => name).sort()).toEqual(['anthropic-default', 'gemini-default', 'openai-default'])
  const { id } = await admin<{ id: string }>('POST', '/admin/keys', { name: 'kept' })
  expect(await stop()).toBe(0)

  const second = await startGateway({}, folder)
  expect(second.adminToken).toBe(adminToken)
  expect(second.log()).not.toContain(adminToken)
  expect(await second.admin<Page>('GET', '/admin/groups')).toMatchObject({ data: groups })
  await second.stop('SIGKILL')

  const third = await startGateway({}, folder)
  expect(await third.admin('GET', `/admin/keys/${id}`)).toMatchObject({ name: 'kept' })
  expect(await third.stop()).toBe(0)
  expect(readdirSync(folder).sort()).toEqual(['data', 'output.log', 'turnpike'])
})
