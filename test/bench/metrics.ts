/** What counting one finished request costs (OPS-7): two hundred receipts of fifty models, as a busy gateway sees them; and one scrape. */
import { renderPrometheus } from '../../src/lib/prometheus-text.ts'
import { createRequestMetrics } from '../../src/state/request-metrics.ts'
import { makeReceipt } from '../support/receipts.ts'

const receipts = Array.from({ length: 200 }, (_, index) =>
  makeReceipt({
    priceUsed: { model: `model-${index % 50}` } as never,
    status: index % 10 === 0 ? 'failed' : 'completed',
    platform: ['openai', 'anthropic', 'gemini', 'bedrock'][index % 4],
    usage: { input: 1000 + index, output: 200, cacheRead: 5000 },
    costNano: BigInt(3_000_000 + index),
    chargedNano: BigInt(3_000_000 + index),
    durationMs: 50 * index,
    firstTokenMs: 10 * index,
    attempts: [
      {
        accountId: 'a',
        status: 200,
        durationMs: 10,
        reason: index % 20 ? null : 'server_error',
        upstreamRequestId: null,
        usage: null,
      },
    ],
  }),
)

const metrics = createRequestMetrics()
function round(times: number): number {
  const before = process.cpuUsage()
  for (let i = 0; i < times; i++) metrics.note(receipts[i % receipts.length]!)
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1000) / times
}
round(200_000)
const best = Math.min(...Array.from({ length: 7 }, () => round(500_000)))
console.log(`one receipt counted: ${best.toFixed(0)} ns CPU (best of 7 rounds)`)

for (const which of ['first', 'second', 'tenth']) {
  const startedAt = performance.now()
  const text = renderPrometheus(metrics.families())
  const ms = performance.now() - startedAt
  console.log(`${which} scrape of 50 models: ${ms.toFixed(1)} ms, ${(text.length / 1000).toFixed(0)} kB`)
  if (which === 'second') for (let i = 0; i < 7; i++) renderPrometheus(metrics.families())
}
