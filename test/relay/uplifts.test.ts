/** Anthropic's place and speed, from the answer to the bill: meter → settlement → the price that was used (BIL-4, BIL-6). */
import { expect, test } from 'bun:test'
import { ANTHROPIC, streamOf } from '../support/dialects.ts'
import { priceRow } from '../support/prices.ts'
import { createTestRelay } from '../support/relay.ts'
import { standFor, WIRES } from '../support/wires.ts'

const wire = WIRES.find(({ dialect }) => dialect === ANTHROPIC)!
const said = (text: string, words: string) => text.replace('"output_tokens":1', `"output_tokens":1,${words}`)
const whole = (words: string) => ANTHROPIC.body.replace('"output_tokens":7', `"output_tokens":7,${words}`)

async function bill(answer: string, isStream: boolean) {
  const prices = [priceRow({ model: wire.model, vendor: 'anthropic', uplifts: { fast: 6_000_000 } })]
  const headers = { 'content-type': isStream ? 'text/event-stream' : 'application/json' }
  const { call, receipts } = await createTestRelay({
    ...standFor(wire),
    prices,
    script: () => new Response(answer, { headers }),
  })
  await (await call('messages', isStream ? ANTHROPIC.request : ANTHROPIC.wholeRequest)).text()
  const [receipt] = receipts
  return { nano: receipt?.costs.chargedNano, uplifts: receipt?.uplifts, uplift: receipt?.priceUsed?.uplift }
}

test('US-only and fast inference cost what the response says, in a stream and in one piece (BIL-4)', async () => {
  const stream = streamOf(ANTHROPIC).join('')
  const plain = await bill(stream, true)
  expect(plain).toMatchObject({ uplifts: [], uplift: 1_000_000 })
  const words = '"inference_geo":"us","speed":"fast"'
  const dear = { nano: ((plain.nano ?? 0n) * 66n) / 10n, uplifts: ['us', 'fast'], uplift: 6_600_000 }
  expect(await bill(said(stream, words), true)).toEqual(dear)
  expect(await bill(whole(words), false)).toEqual(dear)
  expect(await bill(whole('"inference_geo":"global","speed":"standard"'), false)).toEqual(plain)
})
