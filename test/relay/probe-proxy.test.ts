import { afterAll, describe, expect, test } from 'bun:test'
import net from 'node:net'
import { createFetchUpstream } from '../../src/relay/fetch-upstream.ts'
import { createProxyProbe } from '../../src/relay/probe-proxy.ts'
import { createSocketUpstream } from '../../src/relay/socket-upstream.ts'

const servers: net.Server[] = []
afterAll(() => {
  for (const server of servers) server.close()
})

/** A proxy that answers each request head, CONNECT or GET, as it is told. Port of one that is gone: `null`. */
async function proxy(answerTo: ((head: string) => string | null) | null) {
  const heads: string[] = []
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      const head = bytes.toString()
      heads.push(head)
      const answer = answerTo?.(head) ?? null
      if (answer !== null) socket.write(answer)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  if (answerTo === null) await new Promise((resolve) => server.close(resolve))
  else servers.push(server)
  return { url: `http://me:hunter2%21@127.0.0.1:${port}`, heads }
}

const status = (line: string) => `HTTP/1.1 ${line}\r\ncontent-length: 0\r\n\r\n`
const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n'
/** Of whatever stands behind the proxy. */
const target = (line: string) => (head: string) => (head.startsWith('CONNECT ') ? ESTABLISHED : status(line))
const TARGET = 'http://target.invalid/v1'

describe.each([
  ['fetch', createFetchUpstream],
  ['sockets', () => createSocketUpstream({ connectTimeoutMs: 5000 })],
])('a proxy tried over %s (REL-5)', (_name, createUpstream) => {
  const probe = (timeoutMs = 10_000) => createProxyProbe({ upstream: createUpstream(), timeoutMs })

  test('works when its target answers, with whatever status; it is asked with its own name and password', async () => {
    const { url, heads } = await proxy(target('404 Not Found'))
    const result = await probe()(url, TARGET)
    expect(result).toMatchObject({ ok: true, status: 404, url: TARGET, cause: null, message: null })
    expect(result.ms).toBeGreaterThanOrEqual(0)
    expect(heads[0]).toContain('target.invalid')
    expect(heads[0]?.toLowerCase()).toContain(`proxy-authorization: basic ${btoa('me:hunter2!').toLowerCase()}`)
  })

  test('that wants another password is told as such', async () => {
    const { url } = await proxy(() => status('407 Proxy Authentication Required'))
    expect(await probe()(url, TARGET)).toMatchObject({ ok: false, cause: 'unauthorized' })
  })

  test('that can not reach the target does not work', async () => {
    const { url } = await proxy(() => status('502 Bad Gateway'))
    const { ok, cause } = await probe()(url, TARGET)
    expect([ok, ['server_error', 'connect_error'].includes(cause ?? '')]).toEqual([false, true])
  })

  test('that is not there, or says nothing, does not work, and its password is not told (ACC-8)', async () => {
    const gone = await probe()((await proxy(null)).url, TARGET)
    expect(gone).toMatchObject({ ok: false, status: null, cause: 'connect_error' })
    const silent = await probe(50)((await proxy(() => null)).url, TARGET)
    expect(silent).toMatchObject({ ok: false, status: null, cause: 'first_byte_timeout' })
    expect(`${gone.message} ${silent.message}`).not.toContain('hunter2')
  })
})
