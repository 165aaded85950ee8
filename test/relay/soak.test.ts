import { expect, test } from 'bun:test'
import { makeAccount } from '../support/make.ts'
import { type Answered, CHAT, chatAnswer, createTestRelay, errorAnswer, sseAnswer } from '../support/relay.ts'

/** A small generator with a seed: the same soak each time (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const CONTENT = 'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
const REST = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
const ACCOUNTS = 20
const REQUESTS = 2000
const AT_ONCE = 50

type Condition = 'healthy' | 'slow' | 'limited' | 'overloaded' | 'dead' | 'broken' | 'cutting'
const SERVING = new Set<Condition>(['healthy', 'slow'])
const CONDITIONS: Condition[] = ['healthy', 'healthy', 'slow', 'limited', 'overloaded', 'dead', 'broken', 'cutting']

async function answerAs(condition: Condition, stream: boolean): Promise<Answered> {
  if (condition === 'slow') for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  if (condition === 'limited') return errorAnswer(429, { 'retry-after': '20' })
  if (condition === 'overloaded') return errorAnswer(529)
  if (condition === 'dead') return 'refuse-connection'
  if (condition === 'broken') return stream ? sseAnswer('') : errorAnswer(500)
  if (condition === 'cutting' && stream) return sseAnswer(CONTENT)
  return stream ? sseAnswer(CONTENT, REST) : chatAnswer()
}

test('2,000 mixed requests over 20 accounts of changing health: none fails that a healthy account could have served (ACC-5, ACC-6, ACC-7)', async () => {
  const random = randomFrom(7)
  const conditions = new Map<string, Condition>()
  const accounts = Array.from({ length: ACCOUNTS }, (_, index) =>
    makeAccount({
      id: `a${index}`,
      credentials: { apiKey: `sk-a${index}` },
      concurrency: index % 3 === 0 ? 0 : 5,
      priority: index % 2 === 0 ? 10 : 20,
    }),
  )
  const shuffle = () => {
    for (const { id } of accounts) conditions.set(id, CONDITIONS[Math.floor(random() * CONDITIONS.length)] ?? 'healthy')
    // Somebody must be able to serve.
    for (const id of ['a0', 'a1', 'a2']) conditions.set(id, 'healthy')
  }
  shuffle()
  let cut = 0
  const { call, clock, deps, inFlight, queue, receipts } = await createTestRelay({
    accounts,
    script: (request, secret) => {
      const stream = new TextDecoder().decode(request.body ?? undefined).includes('"stream":true')
      const condition = conditions.get(secret.slice(3)) ?? 'healthy'
      if (condition === 'cutting' && stream) cut++
      return answerAs(condition, stream)
    },
  })
  let started = 0
  const failures: string[] = []
  let cutSeen = 0
  const worker = async () => {
    while (started < REQUESTS) {
      const index = started++
      if (index % 200 === 0) shuffle()
      clock.nowMs += 150
      const stream = random() < 0.5
      const session = random() < 0.5 ? { prompt_cache_key: `s${Math.floor(random() * 40)}` } : {}
      const response = await call('chat_completions', {
        ...CHAT,
        ...session,
        stream,
        ...(stream ? { stream_options: { include_usage: true } } : {}),
      })
      const text = await response.text()
      if (response.status !== 200) failures.push(`${response.status} ${text}`)
      else if (stream && !text.endsWith('[DONE]\n\n')) {
        cutSeen++
        if (!text.includes('"error"')) failures.push(`a silent cut: ${text}`)
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  expect(failures).toEqual([])
  // Every cut stream was one that had begun: those, and only those, could not be mended.
  expect(cutSeen).toBe(cut)
  expect(receipts).toHaveLength(REQUESTS)
  expect(accounts.map(({ id }) => inFlight(id))).toEqual(accounts.map(() => 0))
  expect([queue.size, deps.live.size]).toEqual([0, 0])
  expect([...conditions.values()].some((condition) => !SERVING.has(condition))).toBe(true)
})
