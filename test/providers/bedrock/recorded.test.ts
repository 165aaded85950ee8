/** Every recorded answer of Bedrock, whichever model and API, read as a client or the usage reader meets it. */
import { describe, expect, test } from 'bun:test'
import type { Usage } from '../../../src/core/usage.ts'
import { createEventStreamReader } from '../../../src/lib/aws-event-stream.ts'
import { OPERATIONS } from '../../../src/protocols/operations.ts'
import { PROTOCOLS } from '../../../src/protocols/table.ts'
import { createMessagesStream, retellCount, retellMessage } from '../../../src/providers/bedrock/answer.ts'
import { retellError } from '../../../src/providers/bedrock/errors.ts'
import { usageInAnswer } from '../../../src/providers/bedrock/usage.ts'
import { RECORDED, type Recorded, recorded } from '../../support/recorded.ts'
import { readEveryWay } from '../../support/responses.ts'
import { feed } from '../../support/split.ts'
import { readMessages } from '../../support/strict-messages.ts'

const entries = recorded().filter((entry) => entry.family.startsWith('bedrock:'))
const json = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes))
const isAnthropic = ({ name, expected }: Recorded) => name.includes('/invoke') && expected.response_id !== null

/** The events of a recorded stream; `invoke` wraps them. */
function eventsOf(body: Uint8Array): unknown[] {
  const reader = createEventStreamReader()
  const events: unknown[] = []
  for (let at = 0; at < body.length; at += 100) {
    reader.push(body.subarray(at, at + 100), ({ payload }) => {
      const said = json(payload)
      events.push('bytes' in said ? json(Buffer.from(said.bytes, 'base64')) : said)
    })
  }
  reader.end()
  return events
}

const lastUsage = (answers: readonly unknown[]) =>
  answers.reduce<Usage | null>((last, answer) => usageInAnswer(answer) ?? last, null)

function expectRecorded({ normalized }: Recorded, usage: Usage | null): void {
  expect(usage).toMatchObject({
    input: normalized!.uncached_input,
    output: normalized!.output_total,
    cacheRead: normalized!.cache_read,
    cacheWrite5m: normalized!.cache_write_5m!,
    cacheWrite1h: normalized!.cache_write_1h!,
  })
}

describe.skipIf(!RECORDED)('recorded answers of Bedrock', () => {
  test('there are recordings of every API (ACC-16)', () => {
    expect(entries.length).toBeGreaterThanOrEqual(24)
    expect(entries.filter(isAnthropic).length).toBeGreaterThanOrEqual(6)
  })

  // Anthropic's streams are read by the meter of their own protocol, below.
  for (const entry of entries.filter((one) => one.httpStatus === 200 && !(one.stream && isAnthropic(one)))) {
    test(`${entry.name}: the tokens as recorded (BIL-1, quirk 24)`, () => {
      expectRecorded(entry, lastUsage(entry.stream ? eventsOf(entry.body) : [json(entry.body)]))
    })
  }

  for (const entry of entries.filter((one) => one.stream && isAnthropic(one))) {
    test(`${entry.name}: an SDK of Anthropic’s can read it, at any split, and the meter finds its tokens (ACC-16)`, () => {
      const sse = feed(createMessagesStream('m'), entry.body, [entry.body.length])
      for (const lengths of [[1], [7, 300, 12], [1000]]) {
        expect(feed(createMessagesStream('m'), entry.body, lengths).equals(sse)).toBe(true)
      }
      const { message } = readMessages(sse.toString())
      expect([message.id, message.model, message.stop_reason]).toEqual([
        entry.expected.response_id!,
        entry.expected.model!,
        entry.expected.finish_reason as string,
      ])
      expect(sse.includes('amazon-bedrock')).toBe(false)
      const reading = readEveryWay(OPERATIONS.messages, sse)
      expect([reading.final, reading.usageCertainty]).toEqual(['completed', 'final'])
      expectRecorded(entry, reading.usage)
    })
  }

  for (const entry of entries.filter((one) => one.stream && !isAnthropic(one))) {
    test(`${entry.name}: an SDK of Anthropic’s can read it, though another’s model wrote it (ACC-16, BIL-1)`, () => {
      const sse = feed(createMessagesStream('m'), entry.body, [entry.body.length])
      expect(feed(createMessagesStream('m'), entry.body, [1]).equals(sse)).toBe(true)
      const { message } = readMessages(sse.toString())
      expect(message.model).toBe('m')
      expect(message.content.length).toBeGreaterThan(0)
      const reason = entry.expected.finish_reason === 'LENGTH' ? 'max_tokens' : entry.expected.finish_reason
      expect(message.stop_reason).toBe(reason as string)
      const reading = readEveryWay(OPERATIONS.messages, sse)
      expect([reading.final, reading.usageCertainty]).toEqual(['completed', 'final'])
      expectRecorded(entry, reading.usage)
    })
  }

  for (const entry of entries.filter((one) => !one.stream && one.httpStatus === 200 && isAnthropic(one))) {
    test(`${entry.name}: passes as it came, and the meter finds its tokens (REL-17)`, () => {
      const body = retellMessage(entry.body)
      expect(body).toBe(entry.body)
      expectRecorded(entry, readEveryWay(OPERATIONS.messages, body, 'json').usage)
    })
  }

  for (const entry of entries.filter((one) => one.httpStatus >= 300)) {
    test(`${entry.name}: the message reaches the client in Anthropic’s shape (REL-12)`, () => {
      const told = retellError({ status: entry.httpStatus, header: () => null, body: entry.body })
      expect(told.status).toBe(entry.httpStatus)
      expect(json(told.body)).toMatchObject({ type: 'error', error: { message: entry.expected.error!.message } })
      expect(PROTOCOLS.anthropic.readError(told.status, told.body).message).toBe(entry.expected.error!.message!)
    })
  }

  test('a recorded count is told in Anthropic’s words (ACC-16)', () => {
    const counts = entries.filter(({ family, httpStatus }) => family === 'bedrock:count-tokens' && httpStatus === 200)
    expect(counts).toHaveLength(1)
    expect(json(retellCount(counts[0]!.body))).toEqual({ input_tokens: counts[0]!.expected.input_tokens })
  })
})
