/**
 * What reading a request and rewriting a response cost: `bun test/bench/scan.ts`. Best of many rounds, because the
 * machine has other things to do; the variants take turns, so that they share its moods. Ratios travel, times do not.
 */
import { createJsonScanner } from '../../src/lib/json-scan.ts'
import { createModelRewriter } from '../../src/protocols/model-rewriter.ts'
import { inspectOpenaiChat } from '../../src/protocols/openai-chat/inspect.ts'
import { createUsageChunkFilter } from '../../src/protocols/openai-chat/usage-filter.ts'
import { requestEdits, splice } from '../../src/protocols/splice.ts'
import { encode, operation } from '../support/operations.ts'

const CHAT = operation('openai-chat')
const scanModel = createJsonScanner({ model: 'model' })

/** Best time of one call in microseconds, of each variant. */
function measure(variants: Record<string, () => unknown>, roundsMs = 400): Record<string, number> {
  const names = Object.keys(variants)
  const best = Object.fromEntries(names.map((name) => [name, Number.POSITIVE_INFINITY]))
  for (const until = performance.now() + roundsMs * names.length; performance.now() < until; ) {
    for (const name of names) {
      const run = variants[name]!
      let calls = 0
      const start = Bun.nanoseconds()
      let took = 0
      for (; took < 100_000; took = Bun.nanoseconds() - start) for (let turn = 0; turn < 8; turn++, calls++) run()
      best[name] = Math.min(best[name]!, took / calls / 1000)
    }
  }
  return best
}

function report(title: string, best: Record<string, number>): void {
  const cells = Object.entries(best).map(([name, us]) => `${name} ${us < 10 ? us.toFixed(2) : us.toFixed(0)}`)
  console.log(`${title.padEnd(26)} ${cells.join('  |  ')}`)
}

/** A coding agent's body: tool schemas, code with escapes, prose. */
function body(bytes: number, modelFirst: boolean): Uint8Array {
  const tool = {
    type: 'function',
    function: {
      name: 'read',
      description: 'Reads a file and returns its lines.',
      parameters: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] },
    },
  }
  const code = 'if (value === "none") {\n  return compute(left, right)\n}\n'
  const prose = 'The quick brown fox jumps over the lazy dog while naïve readers look on. '
  const messages: unknown[] = [{ role: 'system', content: prose.repeat(2) }]
  const rest = {
    stream: true,
    max_tokens: 4096,
    temperature: 0.7,
    tools: bytes < 10_000 ? [tool] : Array(20).fill(tool),
  }
  const text = () =>
    JSON.stringify(modelFirst ? { model: 'gpt-5.1', messages, ...rest } : { messages, ...rest, model: 'gpt-5.1' })
  const step = Math.min(4000, bytes / 4)
  for (let size = text().length; size < bytes; size += step) {
    const content = (messages.length % 2 ? code : prose).repeat(100).slice(0, step - 40)
    messages.push({ role: messages.length % 2 ? 'user' : 'assistant', content })
  }
  return encode(text())
}

console.log('µs a request')
for (const size of [1_300, 100_000, 1_000_000]) {
  for (const modelFirst of [true, false]) {
    const bytes = body(size, modelFirst)
    const inspected = inspectOpenaiChat(CHAT, bytes)
    if ('code' in inspected) throw new Error(inspected.message)
    const changes = { upstreamModel: 'another-name', forceStoreFalse: false, askUsage: true }
    report(
      `${bytes.length} B, model ${modelFirst ? 'first' : 'last'}`,
      measure({
        scan: () => scanModel(bytes),
        inspect: () => inspectOpenaiChat(CHAT, bytes),
        splice: () => splice(bytes, requestEdits(bytes, inspected, changes)),
        'JSON.parse': () => JSON.parse(new TextDecoder().decode(bytes)),
      }),
    )
  }
}

console.log('µs an event, one event a chunk')
const PATHS = [['model'], ['response', 'model'], ['message', 'model'], ['modelVersion']]
const chat = encode(
  'data: {"id":"chatcmpl-abcdefghijklmnop","object":"chat.completion.chunk","created":1700000000,"model":"gpt-5.1-2025-11-13","service_tier":"default","system_fingerprint":null,"choices":[{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"abcdefg"}\n\n',
)
const delta = encode(
  'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" some words"}}\n\n',
)
const renaming = (from: string) => createModelRewriter({ framing: 'sse', paths: PATHS, from, to: 'my-model' })
for (const [title, chunk] of [
  ['chat', chat],
  ['anthropic delta', delta],
] as const) {
  const hit = renaming('gpt-5.1-2025-11-13')
  const miss = renaming('another')
  const filter = createUsageChunkFilter()
  report(
    `${title}, ${chunk.length} B`,
    measure({
      'rename, named': () => hit.push(chunk),
      'rename, not named': () => miss.push(chunk),
      'usage filter': () => filter.push(chunk),
      'decode and JSON.parse': () => {
        const text = new TextDecoder().decode(chunk)
        return JSON.parse(text.slice(text.indexOf('{')))
      },
    }),
  )
}
