/** The encryption key of an installation in use is replaced (ACC-8): what operators and clients hold goes on working. */
import { afterAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { CHAT } from '../support/dialects.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { answer, startUpstream } from '../support/scripted-upstream.ts'

const NEW_KEY = 'another-encryption-key-0123456789'
const cleanUps: (() => Promise<unknown>)[] = []
afterAll(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp()
}, 60_000)

async function rotate({ folder }: Gateway): Promise<{ code: number; said: string }> {
  const child = Bun.spawn([join(folder, 'turnpike'), 'rotate-encryption-key', '--new-key-file', '-'], {
    cwd: folder,
    env: {},
    stdin: new Blob([NEW_KEY]),
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [out, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  return { code: await child.exited, said: out + errors }
}

test('refused while the gateway runs; done while it is stopped, and no API key, admin token or account is lost (ACC-8)', async () => {
  const upstream = await startUpstream((_, reply) => answer(reply, 200, CHAT.body))
  cleanUps.push(() => upstream.stop())
  const first = await startGateway()
  cleanUps.push(() => first.remove())
  const credentials = { api_key: 'sk-upstream-0123', base_url: upstream.url }
  await first.admin('POST', '/admin/accounts', { name: 'a', platform: 'openai', type: 'api_key', credentials })
  const { api_key: key } = await first.admin<{ api_key: string }>('POST', '/admin/keys', { name: 'k' })
  const { token } = await first.admin<{ token: string }>('POST', '/admin/tokens', { name: 't', role: 'viewer' })

  const refused = await rotate(first)
  expect([refused.code, refused.said]).toEqual([1, expect.stringContaining('a gateway is running on this database')])
  await first.stop()
  const rotated = await rotate(first)
  expect([rotated.code, rotated.said]).toEqual([0, expect.stringContaining('secrets are sealed under the new key')])

  const second = await startGateway({}, first.folder)
  cleanUps.push(() => second.stop())
  const served = await fetch(`${second.url}${CHAT.wholePath}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: CHAT.wholeRequest,
  })
  expect(served.status).toBe(200)
  expect(upstream.requests.at(-1)?.header('authorization')).toBe('Bearer sk-upstream-0123')
  const listed = await fetch(`${second.url}/admin/keys`, { headers: { authorization: `Bearer ${token}` } })
  expect(listed.status).toBe(200)
}, 180_000)
