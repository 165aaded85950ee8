/**
 * All recorded provider responses through the whole gateway: the client gets every byte, the record has the normalised tokens, however the
 * bytes arrive (REL-7, REL-8, REL-17, BIL-1); recorded errors are told as the table says (REL-12).
 */
import { describe, expect, test } from 'bun:test'
import { ANTHROPIC, CHAT, GEMINI, GEMINI_ARRAY, RESPONSES } from '../support/dialects.ts'
import { RECORDED, type Recorded, recorded } from '../support/recorded.ts'
import { type Platform, type Scene, type UsageRecord, useGateway } from '../support/scene.ts'
import { type Reply, sendPieces } from '../support/scripted-upstream.ts'

const { scene, record } = useGateway({ MAX_ATTEMPTS: '1' })

interface Route {
  platform: Platform
  path(entry: Recorded): string
}
const openai = (path: string): Route => ({ platform: 'openai', path: () => path })
const anthropic = (path: string): Route => ({ platform: 'anthropic', path: () => path })
const gemini = (verb: string): Route => ({
  platform: 'gemini',
  path: ({ stream }) => `/v1beta/models/recorded:${verb}${stream ? '?alt=sse' : ''}`,
})

const ROUTES: Record<string, Route> = {
  'openai:chat': openai('/v1/chat/completions'),
  // Legacy completions have no endpoint here; their answers are read like chat's.
  'openai:completions': openai('/v1/chat/completions'),
  'openai:embeddings': openai('/v1/embeddings'),
  'openai:responses': openai('/v1/responses'),
  'openai:responses_compact': openai('/v1/responses/compact'),
  'anthropic:messages': anthropic('/v1/messages'),
  'anthropic:count_tokens': anthropic('/v1/messages/count_tokens'),
  'gemini:generateContent': gemini('generateContent'),
  'gemini:streamGenerateContent': gemini('streamGenerateContent'),
  'gemini:countTokens': gemini('countTokens'),
  'gemini:batchEmbedContents': gemini('batchEmbedContents'),
}
/** Of endpoints that clients cannot call here; Bedrock's answers are translated, not passed (./bedrock.test.ts). */
const UNSERVED = [
  'bedrock:converse',
  'bedrock:converse-stream',
  'bedrock:count-tokens',
  'bedrock:invoke',
  'bedrock:invoke-with-response-stream',
  'gemini:predict',
  'openai:responses_input_tokens',
]

const all = recorded()
const served = all.filter(({ family }) => family in ROUTES)

/** The recorded numbers leave out thoughts that only the vendor's total shows; they are billed. */
const HIDDEN_THOUGHTS = 'gemini-openai/chat/compatible-api-with-tool-calls-without-id-2'
const FREE = new Set(['anthropic:count_tokens', 'gemini:countTokens'])

/** An answer that says nothing of its usage is estimated, a refusal that says nothing of it costs nothing. */
function expectedTokens({ name, family, expected, normalized }: Recorded) {
  if (FREE.has(family)) return { total_tokens: 0, metering: 'measured' }
  if (normalized === null) return { metering: expected.final_status === 'blocked' ? 'unknown' : 'partly_estimated' }
  const { total_tokens: total, input_tokens: input, output_tokens: output } = expected
  const hidden = name === HIDDEN_THOUGHTS ? (total ?? 0) - (input ?? 0) - (output ?? 0) : 0
  return {
    metering: 'measured',
    input_tokens: normalized.uncached_input,
    output_tokens: normalized.output_total + hidden,
    cache_read_tokens: normalized.cache_read,
    cache_write_5m_tokens: normalized.cache_write_5m ?? normalized.cache_write,
    cache_write_1h_tokens: normalized.cache_write_1h ?? 0,
    reasoning_tokens: normalized.reasoning + hidden,
  }
}

/** Work behind an answer that its top-level numbers leave out: the sum over the calls (BIL-1). */
function expectIterations({ name, normalized }: Recorded, written: UsageRecord): void {
  const sum = { input: 0, cache_read: 0, cache_write: 0, output: 0 }
  for (const { tokens } of written.iterations as { tokens: Record<string, number> }[]) {
    sum.input += tokens.input_tokens ?? 0
    sum.cache_read += tokens.cache_read_tokens ?? 0
    sum.cache_write += (tokens.cache_write_5m_tokens ?? 0) + (tokens.cache_write_1h_tokens ?? 0)
    sum.output += tokens.output_tokens ?? 0
  }
  expect({ name, ...sum }).toEqual({ name, ...normalized?.iterations_sum } as typeof sum & { name: string })
}

function* byteByByte(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at++) yield bytes.subarray(at, at + 1)
}

/** The same splits for the same name. */
function* atRandom(bytes: Uint8Array, name: string): Generator<Uint8Array> {
  let state = BigInt(Bun.hash(name))
  for (let at = 0; at < bytes.length; ) {
    state = Bun.hash(String(state)) as bigint
    const length = 1 + Number(state % 700n)
    yield bytes.subarray(at, at + length)
    at += length
  }
}

const SPLITS: Record<string, (entry: Recorded) => Iterable<Uint8Array>> = {
  whole: ({ body }) => [body],
  'byte by byte': ({ body }) => byteByByte(body),
  'at random splits': ({ body, name }) => atRandom(body, name),
}

async function play(entry: Recorded, pieces: Iterable<Uint8Array>, reply: Reply): Promise<void> {
  reply.head(entry.httpStatus, { 'content-type': entry.contentType })
  await sendPieces(reply, pieces)
  reply.end()
}

interface Played {
  status: number
  body: Buffer
  record: UsageRecord
}

/** Sends a fixture through a scene. The model's name tells the provider which one. */
async function relay(entry: Recorded, { send }: Scene): Promise<Played> {
  const body: Record<string, unknown> = { model: entry.name, stream: entry.stream }
  if (entry.stream) body.stream_options = { include_usage: true }
  const path = ROUTES[entry.family]!.path(entry).replace('recorded', encodeURIComponent(entry.name))
  const response = await send(path, entry.family.startsWith('gemini') ? {} : body)
  return { status: response.status, body: Buffer.from(await response.bytes()), record: await record(response) }
}

function playing(entries: readonly Recorded[], split: (entry: Recorded) => Iterable<Uint8Array>) {
  const byName = new Map(entries.map((entry) => [entry.name, entry]))
  return ({ target, body }: { target: string; body: Buffer }, reply: Reply) => {
    const name = /\/models\/([^:]+):/.exec(target)?.[1] ?? JSON.parse(body.toString()).model
    const entry = byName.get(decodeURIComponent(name))!
    return play(entry, split(entry), reply)
  }
}

/** A few at a time: the order in which they are sent is no one's business. */
async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items]
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: 8 }, worker))
}

const good = served.filter(
  ({ httpStatus, expected }) =>
    httpStatus < 300 && ['completed', 'incomplete', 'blocked'].includes(expected.final_status),
)

test.skipIf(!RECORDED)('every family of recorded responses is served, or known not to be (REL-18)', () => {
  expect(new Set(all.map(({ family }) => family))).toEqual(new Set([...Object.keys(ROUTES), ...UNSERVED]))
  expect(good.length).toBeGreaterThan(250)
})

describe.skipIf(!RECORDED)('recorded answers', () => {
  for (const [family, { platform }] of Object.entries(ROUTES)) {
    const entries = good.filter((entry) => entry.family === family)
    for (const [how, split] of Object.entries(SPLITS)) {
      test(`${family}, ${entries.length} of them ${how}: every byte arrives, the record has the normalised tokens (REL-7, REL-17, BIL-1)`, async () => {
        const played = await scene({ platform, script: playing(entries, split) })
        await eachOf(entries, async (entry) => {
          const answered = await relay(entry, played)
          expect(`${entry.name}: ${answered.status}`).toBe(`${entry.name}: ${entry.httpStatus}`)
          expect(`${entry.name}: ${Bun.hash(answered.body)}`).toBe(`${entry.name}: ${Bun.hash(entry.body)}`)
          expect({ name: entry.name, ...answered.record }).toMatchObject({
            name: entry.name,
            status: 'completed',
            ...(entry.normalized?.ambiguous ? {} : expectedTokens(entry)),
          })
          if (entry.normalized?.iterations_beyond_top_level) expectIterations(entry, answered.record)
        })
      }, 60_000)
    }
  }
})

/** How the client's protocol tells a failure: in a stream, and as a body with a status. */
function failureIn(entry: Recorded, received: string): unknown {
  const [vendor] = entry.family.split(':')
  const array = !entry.stream && entry.family === 'gemini:streamGenerateContent'
  if (entry.family === 'openai:responses') return RESPONSES.failureIn(received)
  if (vendor === 'openai') return CHAT.failureIn(received) ?? received.includes('error')
  if (vendor === 'anthropic') return ANTHROPIC.failureIn(received)
  return array ? GEMINI_ARRAY.failureIn(received) : (GEMINI.failureIn(received) ?? received.includes('"error"'))
}

describe.skipIf(!RECORDED)('recorded failures under a 200', () => {
  const broken = served.filter((entry) => entry.httpStatus < 300 && !good.includes(entry))
  /** Nothing of an answer is in these. */
  const isEmpty = ({ name, expected }: Recorded) =>
    expected.final_status === 'failed' || name.endsWith('failure-empty-content')

  test('what was answered passes and ends in an error, what was not becomes an error status; none is a success (REL-11, REL-13)', async () => {
    expect(broken.length).toBeGreaterThan(10)
    await eachOf(broken, async (entry) => {
      const { platform } = ROUTES[entry.family]!
      const played = await scene({ platform, script: playing([entry], ({ body }) => [body]) })
      const answered = await relay(entry, played)
      expect(`${entry.name}: ${answered.record.status}`).toBe(`${entry.name}: failed`)
      if (isEmpty(entry)) {
        expect(`${entry.name}: ${answered.status >= 400}`).toBe(`${entry.name}: true`)
        expect(answered.body.toString()).toContain('"error"')
        expect(answered.record.cost_usd).toBe(0)
        return
      }
      const begins = answered.body.subarray(0, entry.body.length).equals(Buffer.from(entry.body))
      expect(`${entry.name}: ${begins}`).toBe(`${entry.name}: true`)
      if (!entry.stream) expect(answered.record.cost_usd).toBe(0)
      if (entry.stream) expect(`${entry.name}: ${failureIn(entry, answered.body.toString())}`).not.toEndWith(': null')
    })
  })
})

describe.skipIf(!RECORDED)('recorded errors', () => {
  const PASSED = new Set([400, 404, 413, 422])
  const STATUS: Record<number, number> = { 429: 429, 529: 503 }

  test('each is passed on or told as the table says, and reaches no bill (REL-12)', async () => {
    const failures = served.filter(({ httpStatus }) => httpStatus >= 400)
    expect(failures.length).toBeGreaterThan(40)
    await eachOf(failures, async (entry) => {
      const { platform } = ROUTES[entry.family]!
      const played = await scene({ platform, script: playing([entry], ({ body }) => [body]) })
      const answered = await relay(entry, played)
      const { httpStatus, name } = entry
      const passes = PASSED.has(httpStatus)
      const told = passes ? httpStatus : (STATUS[httpStatus] ?? 502)
      expect(`${name}: ${answered.status} ${answered.body.equals(entry.body)}`).toBe(`${name}: ${told} ${passes}`)
      expect(answered.record).toMatchObject({ status: 'failed', http_status: told, cost_usd: 0, total_tokens: 0 })
      expect(answered.record.attempts.map(({ status }) => status)).toEqual([httpStatus])
    })
  }, 30_000)
})
