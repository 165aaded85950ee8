/** The kinds of work that the relay is measured with: what the upstream answers, and how clients ask for it. */
export interface Work {
  name: string
  title: string
  /** Of the request body. */
  requestBytes: number
  /** Events of a stream; 0: one JSON body of 2 kB. */
  events: number
  /** Between two events. 0: as fast as the other side takes them. */
  paceMs: number
  connections: number
  /** In one turn, of each side. */
  requests: number
}

export const WORKS: readonly Work[] = [
  work('paced', '300 streams of 20 events a second', { events: 100, paceMs: 50, connections: 300, requests: 300 }),
  work('full', 'streams of 300 events at full speed', { events: 300, connections: 32, requests: 2500 }),
  work('short', 'streams of 20 events at full speed', { events: 20, connections: 32, requests: 4000 }),
  work('json', '2 kB JSON answers', { connections: 32, requests: 6000 }),
  work('body100k', '100 kB requests', { requestBytes: 100_000, connections: 32, requests: 2000 }),
]

function work(name: string, title: string, over: Partial<Work>): Work {
  return { name, title, requestBytes: 1300, events: 0, paceMs: 0, connections: 32, requests: 1000, ...over }
}

/** What the client asks of every side; the upstream reads from it what to answer. */
export function requestBody({ name, requestBytes, events }: Work): string {
  const messages = [{ role: 'user', content: 'x'.repeat(Math.max(0, requestBytes - 200)) }]
  return JSON.stringify({
    model: `bench-${name}`,
    stream: events > 0,
    ...(events > 0 ? { stream_options: { include_usage: true } } : {}),
    max_tokens: 1000,
    messages,
  })
}

/** The body of an answer, as its events or in one piece. */
export function answerParts({ events }: Work): string[] {
  if (events === 0) return [JSON.stringify({ ...HEAD, choices: [WHOLE], usage: USAGE })]
  const chunk = (choice: object, usage: object | null = null) =>
    `data: ${JSON.stringify({ ...HEAD, object: 'chat.completion.chunk', choices: [choice], usage, obfuscation: 'aB3dE6gH9j' })}\n\n`
  const parts = Array.from({ length: events }, () =>
    chunk({ index: 0, delta: { content: ' relay "the" bytes\n' }, finish_reason: null }),
  )
  parts.push(chunk({ index: 0, delta: {}, finish_reason: 'stop' }, USAGE), 'data: [DONE]\n\n')
  return parts
}

/** Makes an event about as long as one of OpenAI's with a word in it. */
const HEAD = {
  id: 'chatcmpl-Cg0123456789abcdefghijklmno',
  object: 'chat.completion',
  created: 1_780_000_000,
  model: 'gpt-5.4-2026-03-05',
  service_tier: 'default',
  system_fingerprint: 'fp_0123456789',
}
const USAGE = { prompt_tokens: 100, completion_tokens: 300, total_tokens: 400 }
const WHOLE = {
  index: 0,
  message: { role: 'assistant', content: 'as it "comes"\n'.repeat(110) },
  finish_reason: 'stop',
}
