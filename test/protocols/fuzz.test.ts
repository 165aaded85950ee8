/** Upstreams may send anything: nothing makes a meter or a gate throw, and a cut stream never looks complete. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { OPERATIONS } from '../../src/protocols/operations.ts'
import type { Framing } from '../../src/protocols/protocol.ts'
import { PROTOCOLS } from '../../src/protocols/table.ts'
import { bytesOf, named, readEveryWay, split, sse } from '../support/responses.ts'

const operations = Object.values(OPERATIONS)
const framings: Framing[] = ['sse', 'json', 'json-array']

const fragments = fc.constantFrom(
  'data: ',
  'event: error\n',
  'event: message_delta\n',
  '\n\n',
  '\r\n\r\n',
  '\n',
  '\r',
  ': ',
  'error: ',
  '[DONE]',
  '{',
  '}',
  '[',
  ']',
  ',',
  '"usage":',
  '"usageMetadata":',
  '"choices":',
  '"candidates":',
  '"response":',
  '"error":',
  '"type":"response.completed"',
  'null',
  '{}',
  '[[',
  '"',
  '\\',
  '{"type":"message_start","message":null}',
  '{"choices":[null,{"delta":7}],"usage":[]}',
  '{"candidates":[7]}',
  '"x"',
  '1e999',
  '{"error":7}',
  '{"error":{"metadata":{"raw":"{"}}}',
  '{"type":"message_delta","usage":7,"delta":7}',
  '\uFEFF',
  'é',
  '<html>',
)
const text = fc.array(fragments, { maxLength: 40 }).map((parts) => bytesOf(parts.join('')))
const bytes = fc.oneof(fc.uint8Array({ maxLength: 400 }), text)

describe('anything at all', () => {
  test('no bytes make a meter, a gate or an error reader throw (REL-8, REL-11, REL-12)', () => {
    fc.assert(
      fc.property(bytes, fc.constantFrom(...operations), fc.constantFrom(...framings), (body, operation, framing) => {
        const protocol = PROTOCOLS[operation.protocol]
        const meter = protocol.meter(operation, framing)
        const gate = protocol.gate(operation, framing)
        for (const chunk of split(body, 5)) {
          meter.push(chunk)
          if (framing !== 'json') gate.push(chunk)
        }
        meter.read()
        meter.lead()
        protocol.readError(500, body)
        expect(meter.bytes).toBe(body.length)
        expect(['commit', 'fault']).toContain(gate.end())
      }),
      { numRuns: 3000 },
    )
  })

  test('any body gives the same reading at any split (REL-8)', () => {
    const pairs = operations.flatMap((operation) => framings.map((framing) => ({ operation, framing })))
    fc.assert(
      fc.property(text, fc.constantFrom(...pairs), (body, { operation, framing }) => {
        readEveryWay(operation, body, framing)
      }),
      { numRuns: 500 },
    )
  })

  test('cut before its terminal event, a stream is never complete, wherever the cut (REL-13)', () => {
    const usage = { input_tokens: 5, output_tokens: 6, total_tokens: 11 }
    const response = { id: 'r', status: 'completed', tools: ['}'.repeat(50)], usage }
    const streams = {
      responses: sse(
        named({ type: 'response.output_text.delta', delta: 'x' }),
        named({ type: 'response.completed', response }),
      ),
      messages: sse(named({ type: 'message_start', message: { usage } }), named({ type: 'message_stop' })),
      chat_completions: sse(
        { data: { choices: [{ delta: { content: 'x' } }] } },
        { data: { choices: [{ finish_reason: 'stop' }] } },
      ),
      stream_generate_content: sse(
        { data: { candidates: [{ content: {} }] } },
        { data: { candidates: [{ finishReason: 'STOP' }] } },
      ),
    }
    for (const [id, stream] of Object.entries(streams)) {
      const operation = OPERATIONS[id as keyof typeof streams]
      const terminal = stream.trimEnd().length
      for (let cut = 0; cut < terminal; cut++) {
        const meter = PROTOCOLS[operation.protocol].meter(operation, 'sse')
        meter.push(bytesOf(stream.slice(0, cut)))
        expect(meter.read().final).toBe('truncated')
      }
      expect(readEveryWay(operation, stream.slice(0, terminal)).final).toBe('completed')
    }
  })
})
