/**
 * What the relay may expect of an upstream transport, asked of both: Bun's `fetch` and the sockets of our own. The upstream is a TCP server
 * that follows a script to the byte. Where `fetch` does otherwise, DEVIATIONS says what it does and why that can be lived with.
 */
import { afterAll, afterEach, test } from 'bun:test'
import { createFetchUpstream } from '../../src/relay/fetch-upstream.ts'
import { createSocketUpstream } from '../../src/relay/socket-upstream.ts'
import { createCertificates } from '../support/certificates.ts'
import { startConnectProxy } from '../support/connect-proxy.ts'
import { aborting } from './conformance/aborting.ts'
import { bodies } from './conformance/bodies.ts'
import { connections } from './conformance/connections.ts'
import { framing } from './conformance/framing.ts'
import { type Suite, stopServers } from './conformance/harness.ts'
import { refusals } from './conformance/refusals.ts'
import { streaming } from './conformance/streaming.ts'
import { tunnels } from './conformance/tunnels.ts'

const LAST_CHUNK = 'takes the line of the last chunk for the end; every byte of the body has come by then'

/** Tests that are skipped for `fetch` of Bun 1.4.5, with the reason. */
const DEVIATIONS: Readonly<Record<string, string>> = {
  'both framings, chunked counts: all of the body, and the connection is not used again':
    'uses the connection again; only an upstream that lies to its own proxy could make something of it',
  'within the last chunk, by a FIN': LAST_CHUNK,
  'within the last chunk, by a RST': LAST_CHUNK,
  'within trailers, by a FIN': LAST_CHUNK,
  'within trailers, by a RST': LAST_CHUNK,
  'a body without a length, cut by a RST':
    'takes any end of the connection for the end of the body; the missing terminal event tells (REL-13)',
  'a transfer coding that was not asked for':
    'passes the coded bytes on; they are no events, which the gate sees (REL-11)',
  'a head over 64 kB': 'has a higher limit of its own',
  'a stale one, closed when the request comes: the request is sent again, once, whole':
    'does not send a POST again; the next account is tried instead (ACC-5)',
  '600 requests at a time':
    'allows 256 unless BUN_CONFIG_MAX_HTTP_REQUESTS is in the environment from the start; main sees to it',
}

const certificates = createCertificates()
const proxy = await startConnectProxy()
const socket = createSocketUpstream()
const secureSocket = createSocketUpstream({ ca: certificates?.ca })
const plain = { tls: null, proxyUrl: null }
const secure = { tls: certificates, proxyUrl: null }

const fetching: Suite = {
  name: 'fetch',
  upstream: createFetchUpstream(),
  ...plain,
  it(title, run) {
    const reason = DEVIATIONS[title]
    if (reason === undefined) test(title, run, 10_000)
    else test.skip(`${title} [fetch ${reason}]`, run)
  },
}
const it: Suite['it'] = (title, run) => test(title, run, 10_000)
const sockets: Suite = { name: 'socket', upstream: socket, ...plain, it }
const suites = [fetching, sockets]
if (certificates) {
  suites.push({ name: 'socket over TLS', upstream: secureSocket, ...secure, it })
  suites.push({ name: 'socket through a tunnel', upstream: secureSocket, ...secure, proxyUrl: proxy.url, it })
} else test.skip('over TLS [there is no openssl to make certificates with]', () => undefined)

afterEach(stopServers)
afterAll(async () => {
  socket.close()
  secureSocket.close()
  certificates?.remove()
  await proxy.server.stop()
})

for (const suite of suites) {
  for (const part of [framing, refusals, connections, streaming, aborting, bodies]) part(suite)
}
for (const suite of [fetching, sockets]) tunnels(suite, certificates)
