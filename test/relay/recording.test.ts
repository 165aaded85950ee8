import { describe, expect, test } from 'bun:test'
import type { RecordedRequest } from '../../src/core/recorded-request.ts'
import type { RelaySettings } from '../../src/relay/settings.ts'
import { makeAccount } from '../support/make.ts'
import { CHAT, chatAnswer, createTestRelay, errorAnswer, type Script, sseAnswer } from '../support/relay.ts'

const chunk = (content: string, finish: string | null = null) =>
  `data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', model: 'gpt-5.4', choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`
const STREAM = [chunk('hello '), chunk('wörld', 'stop'), 'data: [DONE]\n\n']

async function openRelay(script: Script, settings: Partial<RelaySettings>) {
  const relay = await createTestRelay({ accounts: [makeAccount({ id: 'a0' })], script, settings })
  const recorded: RecordedRequest[] = []
  const { accept } = relay.deps
  relay.deps.accept = (receipt, exchange) => {
    const written = accept(receipt, exchange)
    if (exchange.recording) recorded.push(exchange.recording.finish(exchange))
    return written
  }
  return { ...relay, recorded }
}

const ON = { recordHeaders: true, recordBodies: true }

describe('recording headers and bodies', () => {
  test('off, nothing is kept (USE-1)', async () => {
    const { call, recorded } = await openRelay(() => chatAnswer(), {})
    await (await call('chat_completions', CHAT)).text()
    expect(recorded).toEqual([])
  })

  test('an answer in one piece: what came and what went, secrets masked (USE-1)', async () => {
    const { call, recorded, receipts } = await openRelay(() => chatAnswer('hello'), ON)
    const answer = await call('chat_completions', CHAT, { headers: { 'x-session': 's1', cookie: 'sid=1' } })
    const body = await answer.text()
    expect(recorded).toHaveLength(1)
    const [{ id, createdAtMs, request, response } = recorded[0]!] = recorded
    expect([id, createdAtMs]).toEqual([receipts[0]!.id, receipts[0]!.createdAtMs])
    expect(request.headers).toMatchObject({ authorization: '[masked]', cookie: '[masked]', 'x-session': 's1' })
    expect(request).toMatchObject({ body: JSON.stringify(CHAT), bytes: JSON.stringify(CHAT).length, cut: false })
    expect(response).toMatchObject({ body, bytes: Buffer.byteLength(body), cut: false })
    expect(response.headers).toMatchObject({ 'content-type': expect.any(String), 'x-turnpike-request-id': id })
  })

  test('a stream: the bytes that the client got (USE-1, REL-7)', async () => {
    const { call, recorded } = await openRelay(() => sseAnswer(...STREAM), ON)
    const text = await (await call('chat_completions', { ...CHAT, stream: true })).text()
    expect(text).toContain('wörld')
    expect(recorded).toMatchObject([{ response: { body: text, bytes: Buffer.byteLength(text), cut: false } }])
    expect(recorded[0]?.response.headers).toMatchObject({ 'content-type': 'text/event-stream' })
  })

  test('bodies are cut at the limit, never within a character, and say how long they were (USE-1)', async () => {
    for (let limit = 0; limit < 300; limit++) {
      const { call, recorded } = await openRelay(() => sseAnswer(...STREAM), { ...ON, recordBodyBytes: limit })
      const text = await (await call('chat_completions', { ...CHAT, stream: true })).text()
      const [{ request, response } = recorded[0]!] = recorded
      expect(text.startsWith(response.body!)).toBe(true)
      expect(Buffer.byteLength(response.body!)).toBeWithin(limit - 1, limit + 1)
      expect(response).toMatchObject({ bytes: Buffer.byteLength(text), cut: true })
      expect(request.body!.length).toBe(Math.min(limit, request.bytes!))
    }
  })

  test('a refusal by turnpike and an upstream’s own error are recorded as the client saw them (USE-1)', async () => {
    const refused = await openRelay(() => chatAnswer(), ON)
    const noModel = await (await refused.call('chat_completions', { messages: [] })).text()
    expect(refused.recorded).toMatchObject([{ response: { body: noModel } }])
    const failed = await openRelay(() => errorAnswer(400), ON)
    const passed = await (await failed.call('chat_completions', CHAT)).text()
    expect(failed.recorded).toMatchObject([{ response: { body: passed } }])
    const given = await openRelay(() => errorAnswer(500), ON)
    const last = await (await given.call('chat_completions', CHAT)).text()
    expect(given.recorded).toMatchObject([{ response: { body: last } }])
  })

  test('of what failed before another account served nothing is left in the recording (USE-1, REL-11)', async () => {
    let calls = 0
    const broken = 'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n'
    const { call, recorded } = await openRelay(() => (++calls === 1 ? sseAnswer(broken) : sseAnswer(...STREAM)), ON)
    const text = await (await call('chat_completions', { ...CHAT, stream: true })).text()
    expect(calls).toBe(2)
    expect(recorded).toMatchObject([{ response: { body: text } }])
  })

  test('headers alone, bodies alone; switched while running, from the next request on (USE-1)', async () => {
    const { call, recorded, deps } = await openRelay(() => chatAnswer(), { recordHeaders: true })
    const ask = async () => (await call('chat_completions', CHAT)).text()
    await ask()
    expect(recorded[0]).toMatchObject({ request: { body: null, bytes: null }, response: { body: null } })
    expect(recorded[0]?.request.headers).not.toBeNull()
    Object.assign(deps.settings, { recordHeaders: false, recordBodies: true })
    await ask()
    expect(recorded[1]).toMatchObject({ request: { headers: null }, response: { headers: null } })
    expect(recorded[1]?.response.body).toContain('hello')
    deps.settings.recordBodies = false
    await ask()
    expect(recorded).toHaveLength(2)
  })
})
