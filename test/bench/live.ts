/**
 * What looking at requests under way costs (USE-4) with 5,000 streams: the counts, a page of 50, a page of 1,000, and one request's tokens so far.
 * By hand: `bun test/bench/live.ts`. CPU time, the median of several rounds. The requests themselves pay nothing: a page reads their meters.
 */
import { createLiveRequests } from '../../src/relay/live-requests.ts'
import { ANTHROPIC, CHAT as CHAT_DIALECT, RESPONSES } from '../support/dialects.ts'
import { makeAccount, makeGroup } from '../support/make.ts'
import { createTestRelay } from '../support/relay.ts'

const STREAMS = 5000
const ROUNDS = 15

/** Milliseconds of CPU, the median. */
async function cpuMs(run: () => unknown): Promise<number> {
  const rounds: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage()
    await run()
    const { user, system } = process.cpuUsage(before)
    rounds.push((user + system) / 1000)
  }
  return rounds.sort((a, b) => a - b)[ROUNDS >> 1] ?? 0
}

/** The longest that nothing else could run. */
async function longestBlockMs(run: () => Promise<unknown>): Promise<number> {
  let longest = 0
  let last = performance.now()
  const look = () => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }
  const ticker = setInterval(look, 1)
  await run()
  look()
  clearInterval(ticker)
  return longest
}

const CASES = [
  { dialect: CHAT_DIALECT, operation: 'chat_completions', platform: 'openai' },
  { dialect: RESPONSES, operation: 'responses', platform: 'openai' },
  { dialect: ANTHROPIC, operation: 'messages', platform: 'anthropic' },
] as const

for (const { dialect, operation, platform } of CASES) {
  const relay = await createTestRelay({
    accounts: [makeAccount({ id: 'a', platform })],
    groups: [makeGroup({ platform })],
    // 200 events have gone by; the rest never comes.
    script: () => {
      const text = dialect.opening.join('') + dialect.content[0].repeat(200)
      const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode(text)) })
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  const answers = await Promise.all(Array.from({ length: STREAMS }, () => relay.call(operation, dialect.request)))
  for (const answer of answers) void answer.body?.getReader().read()
  const live = createLiveRequests(relay.deps)
  const page = (limit: number) => cpuMs(() => live.list({}, limit))
  const [counts, small, large] = [await cpuMs(() => live.counts({})), await page(50), await page(1000)]
  const block = await longestBlockMs(() => live.list({}, STREAMS))
  const each = ((large - small) / 950) * 1000
  console.log(
    `${dialect.name}, ${live.counts({}).streaming} streams: counts ${counts.toFixed(2)} ms, 50 ${small.toFixed(2)} ms, ` +
      `1,000 ${large.toFixed(2)} ms; ${each.toFixed(1)} µs a request; all of them block for ${block.toFixed(1)} ms at most`,
  )
}
process.exit()
