/**
 * One request over one transport in a process of its own, because the runtime reads its CAs from the environment at the start only:
 * `bun test/support/upstream-probe.ts <fetch|socket> <url> [proxy]` prints what came of it as JSON.
 */
import { createFetchUpstream } from '../../src/relay/fetch-upstream.ts'
import { createSocketUpstream } from '../../src/relay/socket-upstream.ts'

const [transport, url = '', proxy] = process.argv.slice(2)
const upstream = transport === 'socket' ? createSocketUpstream() : createFetchUpstream()
const body = new TextEncoder().encode('question')
const call = upstream.send({ url, method: 'POST', headers: {}, body, proxyUrl: proxy ?? null })
try {
  const answer = await call.answer
  const bytes = await answer.body.bytes(1000)
  console.log(JSON.stringify({ status: answer.status, body: Buffer.from(bytes).toString() }))
} catch (error) {
  console.log(JSON.stringify({ error: (error as { code?: string }).code ?? String(error) }))
}
process.exit(0)
