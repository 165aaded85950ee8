import { describe, expect, test } from 'bun:test'
import { OPERATIONS } from '../../src/protocols/operations.ts'
import type { Envelope } from '../../src/providers/provider.ts'
import { providerFor } from '../../src/providers/table.ts'
import { unwrap } from '../../src/relay/envelope.ts'
import type { UpstreamAnswer } from '../../src/relay/upstream.ts'
import { chunk } from '../support/event-stream.ts'

const envelope = providerFor('bedrock', 'aws')?.envelope as Envelope
const FRAME = chunk('{"type":"ping"}')
const EVENT = 'event: ping\ndata: {"type":"ping"}\n\n'

function piped(chunks: Uint8Array[], contentType = 'application/vnd.amazon.eventstream') {
  const seen = { touched: 0, aborted: [] as string[], out: '', waits: 0 }
  const answer: UpstreamAnswer = {
    status: 200,
    headers: new Headers({ 'content-type': contentType }),
    body: {
      async pipe(onChunk) {
        for (const bytes of chunks) {
          const wait = onChunk(bytes)
          if (wait) seen.waits++
          await wait
        }
      },
      bytes: async () => Buffer.concat(chunks),
    },
  }
  const call = {
    watched: { touch: () => void seen.touched++ },
    abort: (reason: string) => void seen.aborted.push(reason),
  }
  const plain = unwrap(envelope, { operation: OPERATIONS.messages, modelId: 'anthropic.claude-x' }, { call, answer })
  const done = plain.body.pipe((bytes) => {
    seen.out += Buffer.from(bytes).toString()
    return Promise.resolve()
  })
  return { seen, done, plain }
}

describe('an answer out of its envelope', () => {
  test('half a frame is no silence, but nothing to pass on; a slow client slows the upstream (REL-7, REL-15)', async () => {
    const { seen, done } = piped([FRAME.subarray(0, 20), FRAME.subarray(20)])
    await done
    expect(seen).toEqual({ touched: 2, aborted: [], out: EVENT, waits: 1 })
  })

  test('damage breaks it at once, after what was sound, and hangs up (REL-13)', async () => {
    const { seen, done } = piped([Buffer.concat([FRAME, Buffer.alloc(16, 9)]), FRAME])
    await expect(done).rejects.toThrow(/checksum/)
    expect(seen).toEqual({ touched: 1, aborted: ['the stream is damaged'], out: EVENT, waits: 0 })
  })

  test('an end within a frame is a break, not an end (REL-13)', async () => {
    const { seen, done } = piped([FRAME, FRAME.subarray(0, 9)])
    await expect(done).rejects.toThrow(/within a message/)
    expect(seen.out).toBe(EVENT)
  })

  test('what comes as server-sent events already passes as the same bytes (REL-7)', async () => {
    const { seen, done } = piped([Buffer.from(EVENT)], 'text/event-stream')
    await done
    expect([seen.out, seen.aborted]).toEqual([EVENT, []])
  })

  test('a whole body is retold (REL-17)', async () => {
    const marked = '{"usage":{},"amazon-bedrock-trace":{}}'
    const { plain } = piped([Buffer.from(marked)], 'application/json')
    expect(Buffer.from(await plain.body.bytes(1000)).toString()).toBe('{"usage":{}}')
  })
})
