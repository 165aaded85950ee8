/** What the outbound gate costs a request over `fetch` whose host is known (OPS-10); over sockets it is asked once a connection. */
import { createOutboundGate } from '../../src/lib/outbound-gate.ts'

const gate = createOutboundGate({
  policy: { allowPrivate: false },
  nowMs: Date.now,
  lookup: async () => [{ address: '93.184.216.34' }],
})
const urls = Array.from({ length: 20 }, (_, index) => [
  `https://api-${index}.example/v1/chat/completions`,
  `https://93.184.216.${index}/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse`,
]).flat()
for (const url of urls) await gate.check(url)

function round(times: number): number {
  const before = process.cpuUsage()
  for (let i = 0; i < times; i++) if (gate.check(urls[i % urls.length]!) !== null) throw new Error('not in the cache')
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1000) / times
}
round(200_000)
const best = Math.min(...Array.from({ length: 7 }, () => round(500_000)))
console.log(`one request to one of 40 known hosts: ${best.toFixed(0)} ns CPU (best of 7 rounds)`)
