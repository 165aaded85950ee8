/**
 * 200,000 mutated requests at the client endpoints of the compiled binary (OPS-11): counts of answers by status, what must never be, and what the
 * process's memory does meanwhile. By hand:
 *
 *   npm run build && npx bun test/bench/fuzz.ts [COUNT] [SEED]
 */
import { friendlyScript, fuzz } from '../support/fuzz.ts'
import { startGateway } from '../support/gateway.ts'
import { residentBytes } from '../support/process-memory.ts'
import { startUpstream } from '../support/scripted-upstream.ts'

const [count = '200000', seed = String(Math.floor(Math.random() * 2 ** 31))] = process.argv.slice(2)
const upstream = await startUpstream(friendlyScript)
const gateway = await startGateway()
const { admin, url, pid } = gateway
for (const platform of ['openai', 'anthropic', 'gemini']) {
  const credentials = { api_key: 'sk-fuzz', base_url: upstream.url }
  await admin('POST', '/admin/accounts', { name: platform, platform, type: 'api_key', credentials })
}
const { api_key: key } = await admin<{ api_key: string }>('POST', '/admin/keys', { name: 'fuzz' })

const megabytes = () => Math.round(residentBytes(pid) / 1e6)
const memory: number[] = [megabytes()]
const { statuses, faults } = await fuzz({
  url,
  key,
  seed: Number(seed),
  count: Number(count),
  connections: 32,
  onProgress(done) {
    memory.push(megabytes())
    // What upstreams were sent is kept for tests; here it would be gigabytes.
    upstream.requests.length = 0
    if (done % 50_000 === 0) console.log(`${done} sent, ${memory.at(-1)} MB resident`)
  },
})
console.log(
  `seed ${seed}: ${[...statuses]
    .sort(([a], [b]) => a - b)
    .map(([status, times]) => `${status}: ${times}`)
    .join(', ')}`,
)
console.log(`resident MB, every 10,000 requests: ${memory.join(' ')}`)
console.log(`log lines at level error: ${gateway.log().split('"level":"error"').length - 1}`)
for (const { what, request } of faults.slice(0, 10)) console.log(`\n${what}:\n${request}`)
await gateway.remove()
await upstream.stop()
console.log(faults.length === 0 ? 'no faults' : `${faults.length} faults`)
process.exit(faults.length === 0 ? 0 : 1)
