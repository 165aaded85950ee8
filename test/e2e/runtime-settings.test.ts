/** What an operator changes while turnpike runs counts from that moment, not from the next start (contract.md, `/admin/settings`). */
import { describe, expect, test } from 'bun:test'
import { RESPONSES } from '../support/dialects.ts'
import { useGateway } from '../support/scene.ts'
import { answer } from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

const { gateway, scene } = useGateway()
const { wholePath, wholeRequest, body } = RESPONSES

/** With these settings for as long as `use` runs. */
async function withSettings(settings: Record<string, unknown>, use: () => Promise<void>): Promise<void> {
  const { admin } = gateway()
  await admin('PATCH', '/admin/settings', settings)
  await use()
  await admin('PATCH', '/admin/settings', Object.fromEntries(Object.keys(settings).map((name) => [name, null])))
}

describe('a setting changed at run time', () => {
  test('QUEUE_SIZE: nobody waits for a slot any more (ACC-7)', async () => {
    const rest = Promise.withResolvers<void>()
    const played = await scene({
      accounts: [{ concurrency: 1 }],
      script: async (_, reply) => {
        await rest.promise
        answer(reply, 200, body)
      },
    })
    const first = played.send(wholePath, wholeRequest)
    await until(() => played.upstream.busy === 1, { what: 'the first request' })
    await withSettings({ queue_size: 0 }, async () => {
      const second = await played.send(wholePath, wholeRequest)
      expect(await second.json()).toMatchObject({ error: { code: 'account_queue_full' } })
    })
    rest.resolve()
    expect((await first).status).toBe(200)
  })

  test('RESERVE_OUTPUT_TOKENS: so much money is asked for (BIL-7)', async () => {
    const { send } = await scene({
      key: { standalone: true, balance_usd: 0.2 },
      script: (_, reply) => answer(reply, 200, body),
    })
    expect((await send(wholePath, wholeRequest)).status).toBe(200)
    await withSettings({ reserve_output_tokens: 1_000_000 }, async () => {
      const refused = await send(wholePath, wholeRequest)
      expect(await refused.json()).toMatchObject({ error: { reason: 'insufficient_key_balance' } })
    })
    expect((await send(wholePath, wholeRequest)).status).toBe(200)
  })
})
