/** The reports on usage as the binary gives them: a request goes through, and every report knows of it. */
import { describe, expect, test } from 'bun:test'
import { RESPONSES, TOKENS } from '../support/dialects.ts'
import { useGateway } from '../support/scene.ts'
import { answer } from '../support/scripted-upstream.ts'

const { gateway, scene, record } = useGateway({ TIMEZONE: 'America/New_York' })

describe('reports on usage', () => {
  test('know of a request as soon as it is recorded, by its day of the configured zone, with what the cache saved (USE-12 … USE-17)', async () => {
    const { send, keyId } = await scene({ script: (_, reply) => answer(reply, 200, RESPONSES.body) })
    const first = await send(RESPONSES.wholePath, RESPONSES.wholeRequest)
    await first.text()
    const { model, cost_usd, total_tokens, cache_read_cost_usd, created_at } = await record(first)
    const day = new Intl.DateTimeFormat('en-CA', { timeZone: 'America/New_York' }).format(new Date(String(created_at)))
    // biome-ignore lint/suspicious/noExplicitAny: what reports hold is told by their schemas; here it is read by name
    const report = (path: string) => gateway().admin<any>('GET', `/admin/usage/${path}key_id=${keyId}`)

    const { data } = await report('summary?')
    expect(data).toMatchObject([{ day, model, requests: 1, completed_requests: 1, cost_usd, total_tokens }])
    const { data: days, max_requests } = await report('activity?')
    expect([days.length, days.at(-1), max_requests]).toEqual([365, { day, requests: 1, total_tokens, cost_usd }, 1])
    const { total } = await report('cache-hits?')
    expect(total).toMatchObject({
      cache_hit_requests: 1,
      request_hit_rate_percent: 100,
      cache_read_tokens: TOKENS.cache_read_tokens,
      cache_read_cost_usd,
    })
    // The built-in price of the model: cached input costs a tenth.
    expect(total.saving_usd).toBeCloseTo(9 * Number(cache_read_cost_usd), 9)
    const affinity = await report('cache-affinity?group_by=key&')
    expect(affinity.data).toMatchObject([{ id: keyId, requests: 1, recommended_ttl_minutes: 5 }])

    const exported = await fetch(`${gateway().url}/admin/usage/export?format=jsonl&key_id=${keyId}`, {
      headers: { authorization: `Bearer ${gateway().adminToken}` },
    })
    const lines = (await exported.text()).split('\n')
    expect(lines.map((line) => line && JSON.parse(line).id)).toEqual([first.headers.get('x-turnpike-request-id'), ''])
  })
})
