import { afterEach, expect, test } from 'bun:test'
import { createSocketUpstream } from '../../src/relay/socket-upstream.ts'
import { ConnectTimeout } from '../../src/relay/upstream.ts'
import { createFakeNetwork } from '../support/fake-sockets.ts'
import { answering, OK, serve, stopServers } from './conformance/harness.ts'

afterEach(stopServers)

const request = { method: 'POST' as const, headers: {}, body: null, proxyUrl: null }

test('an attempt to connect that takes too long is a ConnectTimeout (REL-15)', async () => {
  const { connect } = createFakeNetwork(false)
  const upstream = createSocketUpstream({ connect, connectTimeoutMs: 0, sweepEveryMs: 1 })
  const error = await upstream.send({ ...request, url: 'http://a.example/' }).answer.catch((reason) => reason)
  upstream.close()
  expect(error).toBeInstanceOf(ConnectTimeout)
})

test('identity is asked for, and a user agent named, unless the caller says something else (REL-7)', async () => {
  const { connect, sockets } = createFakeNetwork(true)
  const upstream = createSocketUpstream({ connect, sweepEveryMs: 0 })
  upstream.send({ ...request, url: 'http://a.example/' })
  upstream.send({ ...request, url: 'http://a.example/', headers: { 'accept-encoding': 'gzip', 'user-agent': 'x/1' } })
  await Promise.resolve()
  expect(sockets.map(({ sent }) => sent.match(/^(?:accept-encoding|user-agent): .*$/gm))).toEqual([
    ['accept-encoding: identity', 'user-agent: turnpike'],
    ['accept-encoding: gzip', 'user-agent: x/1'],
  ])
})

test('headers of a decoded answer say nothing of the compressed bytes (REL-6)', async () => {
  const { connect, sockets } = createFakeNetwork(true)
  const upstream = createSocketUpstream({ connect, sweepEveryMs: 0 })
  const call = upstream.send({ ...request, url: 'http://a.example/' })
  await Promise.resolve()
  sockets[0]?.feed(`${OK}content-encoding: gzip\r\ncontent-length: 9\r\nx-request-id: 7\r\n\r\n`)
  const { headers } = await call.answer
  const names: string[] = []
  headers.forEach((_value, name) => void names.push(name))
  expect(names).toEqual(['x-request-id'])
  call.abort('enough')
})

test('kept connections do not keep a process alive', async () => {
  const server = await serve({ tls: null }, answering(`${OK}content-length: 2\r\n\r\nhi`))
  const script = `
    import { createSocketUpstream } from ${JSON.stringify(`${import.meta.dir}/../../src/relay/socket-upstream.ts`)}
    const request = ${JSON.stringify({ ...request, url: server.url })}
    const answer = await createSocketUpstream().send(request).answer
    console.log(Buffer.from(await answer.body.bytes(10)).toString())`
  const child = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe' })
  expect(await new Response(child.stdout).text()).toBe('hi\n')
  expect(await child.exited).toBe(0)
})
