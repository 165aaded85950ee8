import { describe, expect, test } from 'bun:test'
import { deny } from '../../src/core/denial.ts'
import { readBlock, splitBlocks } from '../../src/lib/sse-block.ts'
import { OPERATIONS } from '../../src/protocols/operations.ts'
import { streamLead } from '../../src/protocols/stream-lead.ts'
import { PROTOCOLS } from '../../src/protocols/table.ts'
import { bytesOf, sse } from '../support/responses.ts'

function leadAfter(text: string): string {
  return streamLead(bytesOf(text), 'sse')
}

describe('lead before an error event', () => {
  test('after a whole event nothing is needed, after a line one line end, within a line two (REL-13)', () => {
    expect(leadAfter('')).toBe('')
    expect(leadAfter('data: x\n\n')).toBe('')
    expect(leadAfter('data: x\n')).toBe('\n')
    expect(leadAfter('event: a\nda')).toBe('\n\n')
    expect(leadAfter('data: {"half":')).toBe('\n\n')
  })

  test('the line ends are those of the stream (REL-13)', () => {
    expect(leadAfter('data: x\r\n\r\n')).toBe('')
    expect(leadAfter('data: x\r\n')).toBe('\r\n')
    expect(leadAfter('data: x\r\n\r\ndata: {')).toBe('\r\n\r\n')
    expect(leadAfter('data: x\r\n\r')).toBe('\n')
    expect(leadAfter('data: x\r')).toBe('\n\r\n')
  })

  test('cut anywhere, the error event is an event of its own, and no event is forged (REL-13)', () => {
    const plain = sse(
      { event: 'a', data: { text: 'He said "\n\n" – ß' } },
      ': comment',
      { data: { n: 12 } },
      { data: 'x' },
    )
    const denial = deny('upstream_stream_broken', 'The upstream broke off')
    for (const stream of [plain, plain.replaceAll('\n', '\r\n')]) {
      const whole = splitBlocks(stream).blocks.map(readBlock)
      for (let cut = 0; cut <= stream.length; cut++) {
        const lead = streamLead(bytesOf(stream.slice(0, cut)), 'sse')
        const event = PROTOCOLS.anthropic.errorEvent(denial, 'r', { framing: 'sse', responseId: null })
        const { blocks, rest } = splitBlocks(stream.slice(0, cut) + lead + event)
        expect(rest).toBe('')
        expect(readBlock(blocks.pop()!)).toMatchObject({ event: 'error', foreign: null })
        const dispatched = blocks.map(readBlock).filter((block) => block.data !== null)
        for (const block of dispatched.slice(0, -1)) expect(whole).toContainEqual(block)
        const last = dispatched.at(-1)
        if (last?.data?.endsWith('}')) expect(whole.map((block) => block.data)).toContain(last.data)
      }
    }
  })

  test('an open array needs a comma behind an element, and nothing behind a comma or a bracket (REL-13)', () => {
    const after = (text: string) => streamLead(bytesOf(text), 'json-array')
    expect(after('')).toBe('[')
    expect(after('[\n')).toBe('')
    expect(after('[{"a":1}\n')).toBe(',')
    expect(after('[{"a":1}\r\n,\r\n')).toBe('')
  })

  test('an array that broke off between elements is whole again with the error in it (REL-13)', () => {
    const denial = deny('upstream_stream_broken', 'The upstream broke off')
    const event = PROTOCOLS.gemini.errorEvent(denial, 'r', { framing: 'json-array', responseId: null })
    for (const sent of ['', '[', '[{"a":1}', '[{"a":1}\n,\n']) {
      const elements = JSON.parse(sent + streamLead(bytesOf(sent), 'json-array') + event)
      expect(elements.at(-1).error).toMatchObject({ code: 502, status: 'UNAVAILABLE' })
    }
  })

  test('a meter knows the lead of the body that it has seen, however it was split (REL-13)', () => {
    const meter = PROTOCOLS['openai-chat'].meter(OPERATIONS.chat_completions, 'sse')
    expect(meter.lead()).toBe('')
    for (const piece of ['data: {}\r\n', '\r', '\n', 'data', ': {']) meter.push(bytesOf(piece))
    expect(meter.lead()).toBe('\r\n\r\n')
    expect(PROTOCOLS['openai-chat'].meter(OPERATIONS.chat_completions, 'json').lead()).toBe('')
  })
})
