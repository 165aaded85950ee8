/**
 * What watching a stream costs: nanoseconds per event of `Meter.push`, microseconds of `read`, memory of many open streams.
 * By hand: `bun test/bench/tap.ts`. Streams of 300 events; CPU time, the best of 15 rounds; "none" is the loop without a meter.
 */
import { OPERATIONS } from '../../src/protocols/operations.ts'
import type { Meter, Operation } from '../../src/protocols/protocol.ts'
import { PROTOCOLS } from '../../src/protocols/table.ts'

const EVENTS = 300
const encoder = new TextEncoder()

const text = 'The quick brown fox. '
const streams: { name: string; operation: Operation; events: string[] }[] = [
  {
    name: 'chat',
    operation: OPERATIONS.chat_completions,
    events: withEnd(
      `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-5","service_tier":"default","choices":[{"index":0,"delta":{"content":"${text}"},"finish_reason":null}],"usage":null,"obfuscation":"abcdefgh"}\n\n`,
      [
        'data: {"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}\n\n',
        'data: [DONE]\n\n',
      ],
    ),
  },
  {
    name: 'responses',
    operation: OPERATIONS.responses,
    events: withEnd(
      `event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_0123456789","output_index":0,"content_index":0,"delta":"${text}","logprobs":[]}\n\n`,
      [
        `event: response.completed\ndata: {"type":"response.completed","response":{"id":"resp_1","status":"completed","instructions":"${'x'.repeat(20_000)}","usage":{"input_tokens":10,"output_tokens":20,"total_tokens":30}}}\n\n`,
      ],
    ),
  },
  {
    name: 'anthropic',
    operation: OPERATIONS.messages,
    events: withEnd(
      `event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"${text}"}}\n\n`,
      [
        'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":20}}\n\n',
        'event: message_stop\ndata: {"type":"message_stop"}\n\n',
      ],
    ),
  },
]

for (const { name, operation, events } of streams) {
  const shapes = {
    event: events.map((event) => encoder.encode(event)),
    '16 kB': cut(events, 16_384),
    '97 B': cut(events, 97),
  }
  const cells = Object.entries(shapes).map(([shape, chunks]) => {
    const pushed = perEvent(chunks, () => newMeter(operation))
    const none = perEvent(chunks, () => null)
    return `${shape}: ${pushed} (none ${none})`
  })
  console.log(
    `${name.padEnd(10)} ns/event by chunk   ${cells.join('   ')}   read ${readMicros(operation, shapes.event)} µs`,
  )
}
for (const { name, operation, events } of streams) console.log(`${name.padEnd(10)} ${memory(operation, events)}`)

function withEnd(event: string, end: string[]): string[] {
  return [...Array.from({ length: EVENTS - end.length }, () => event), ...end]
}

function cut(events: string[], size: number): Uint8Array[] {
  const bytes = encoder.encode(events.join(''))
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.slice(at * size, (at + 1) * size))
}

function newMeter(operation: Operation): Meter {
  return PROTOCOLS[operation.protocol].meter(operation, 'sse')
}

function perEvent(chunks: Uint8Array[], create: () => Meter | null): string {
  const rounds: number[] = []
  const streamsPerRound = 200
  for (let round = 0; round < 15; round++) {
    let bytes = 0
    const started = process.cpuUsage()
    for (let stream = 0; stream < streamsPerRound; stream++) {
      const meter = create()
      for (const chunk of chunks) {
        meter?.push(chunk)
        bytes += chunk.length
      }
    }
    rounds.push((process.cpuUsage(started).user * 1000) / streamsPerRound / EVENTS)
    if (bytes === 0) throw new Error('nothing was pushed')
  }
  return Math.min(...rounds).toFixed(0)
}

function readMicros(operation: Operation, chunks: Uint8Array[]): string {
  const times: number[] = []
  for (let round = 0; round < 200; round++) {
    const meter = newMeter(operation)
    for (const chunk of chunks) meter.push(chunk)
    const started = performance.now()
    if (meter.read().usage === null) throw new Error('no usage was read')
    times.push((performance.now() - started) * 1000)
  }
  return median(times).toFixed(0)
}

/** 5000 streams, each in the middle: all events but the last. */
function memory(operation: Operation, events: string[]): string {
  const chunks = events.slice(0, -3).map((event) => encoder.encode(event))
  Bun.gc(true)
  const before = process.memoryUsage().rss
  const meters = Array.from({ length: 5000 }, () => newMeter(operation))
  for (const chunk of chunks.slice(0, 100)) for (const meter of meters) meter.push(chunk)
  Bun.gc(true)
  const kilobytes = (process.memoryUsage().rss - before) / 1024
  return `5000 open streams: ${(kilobytes / 5000).toFixed(1)} kB each (${meters.length})`
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}
