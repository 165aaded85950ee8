/** The record comes before the end of the answer, whatever the answer (BIL-13), and before the account's slot is free again (OPS-1). */
import { expect, test } from 'bun:test'
import { CHAT } from '../support/dialects.ts'
import { makeAccount } from '../support/make.ts'
import { createTestRelay, type Script } from '../support/relay.ts'
import { until } from '../support/until.ts'

const whole: Script = () => new Response(CHAT.body, { headers: { 'content-type': 'application/json' } })
const clientsFault: Script = () =>
  Response.json({ error: { message: 'no', type: 'invalid_request_error' } }, { status: 400 })

const ENDINGS: Record<string, { script: Script; body: string; status: number }> = {
  'a whole answer': { script: whole, body: CHAT.wholeRequest, status: 200 },
  "the upstream's error": { script: clientsFault, body: CHAT.wholeRequest, status: 400 },
  'a refusal of our own': { script: whole, body: '{"messages":[]}', status: 400 },
}

for (const [name, { script, body, status }] of Object.entries(ENDINGS)) {
  test(`${name} is held back until its record is where it must be (OPS-1, BIL-13)`, async () => {
    const recorded = Promise.withResolvers<void>()
    const relay = await createTestRelay({
      accounts: [makeAccount({ id: 'a' })],
      script,
      recorded: () => recorded.promise,
    })
    let answered = false
    const answer = relay.call('chat_completions', body).then((response) => {
      answered = true
      return response
    })
    await until(() => relay.receipts.length === 1, { what: 'the receipt' })
    await new Promise((resolve) => setImmediate(resolve))
    expect(answered).toBe(false)
    recorded.resolve()
    expect((await answer).status).toBe(status)
    expect(relay.receipts).toHaveLength(1)
  })
}

test('a fault of ours while a request is settled costs neither its record nor its slot, and its client sees the end (REL, OPS-1)', async () => {
  const faults: unknown[] = []
  const relay = await createTestRelay({ accounts: [makeAccount({ id: 'a' })], script: whole })
  const { prices } = relay.deps
  relay.deps.prices = (account) => {
    if (account) throw new Error('no price book')
    return prices(null)
  }
  relay.deps.onCrash = (error) => void faults.push(error)
  expect((await relay.call('chat_completions', CHAT.wholeRequest)).status).toBe(200)
  expect(relay.receipts).toMatchObject([{ status: 'completed', metering: 'unknown', priced: false }])
  expect([faults.length, relay.inFlight('a'), relay.deps.bodies.held, relay.deps.live.size]).toEqual([1, 0, 0, 0])
})
