import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import type { LiveSource } from '../../src/admin/live.ts'
import { byNewest, isWanted, type LiveRequest } from '../../src/core/live-request.ts'
import { newId } from '../../src/lib/ids.ts'
import { type AdminApp, adminApp, ROOT_TOKEN } from '../support/admin-app.ts'
import { makeLive } from '../support/live.ts'

const here: { own: LiveRequest[]; others: LiveRequest[]; away: boolean; asked: number } = {
  own: [],
  others: [],
  away: false,
  asked: 0,
}
const live: LiveSource = {
  async list(filter, limit) {
    here.asked++
    return here.own
      .filter((request) => isWanted(filter, request))
      .sort(byNewest)
      .slice(0, limit)
  },
  counts(filter) {
    const all = here.own.filter((request) => isWanted(filter, request))
    const streaming = all.filter(({ status }) => status === 'streaming').length
    return { pending: all.length - streaming, streaming }
  },
  listOthers: async () => {
    if (here.away) throw Object.assign(new Error('away'), { code: 'ECONNREFUSED' })
    return here.others
  },
  countLost: async () => {
    if (here.away) throw Object.assign(new Error('away'), { code: 'ECONNREFUSED' })
    return 2
  },
  nameOfUser: () => 'ada',
  nameOfKey: () => 'laptop',
  nameOfAccount: (id) => (id === null ? null : 'openai main'),
}

let api: AdminApp
let viewer: string
beforeAll(async () => {
  api = await adminApp({}, live)
  viewer = (await api.ask('POST', '/admin/tokens', { name: 'reader', role: 'viewer' })).json.token
})
afterAll(() => api.database.drop())
beforeEach(() => {
  Object.assign(here, { own: [], others: [], away: false, asked: 0 })
})

const PATH = '/admin/usage/active'
const at = (ms: number, parts: Partial<LiveRequest> = {}) =>
  makeLive({ createdAtMs: api.time.nowMs - ms, keyId: newId(), ...parts })
const ids = async (query: string) =>
  (await api.ask('GET', `${PATH}?${query}`)).json.data.map((row: LiveRequest) => row.id)

/** The next events of an open feed. */
async function openFeed(query = '', token = ROOT_TOKEN) {
  const answer = await api.app.handle(
    new Request(`http://localhost${PATH}/stream${query}`, { headers: { authorization: `Bearer ${token}` } }),
  )
  const reader = answer.body!.getReader()
  return {
    answer,
    async next() {
      const text = new TextDecoder().decode((await reader.read()).value)
      return text.startsWith('data: ') ? JSON.parse(text.slice('data: '.length)) : text
    },
    leave: () => reader.cancel(),
  }
}

describe('/admin/usage/active', () => {
  test('lists requests of this and of other instances, newest first, with what they have used so far (USE-4)', async () => {
    here.own = [at(1000, { status: 'pending', accountId: null, firstTokenMs: null }), at(9000, { userId: newId() })]
    here.others = [at(5000)]
    const { json } = await api.ask('GET', PATH)
    expect(json.data.map(({ id }: { id: string }) => id)).toEqual([
      here.own[0]!.id,
      here.others[0]!.id,
      here.own[1]!.id,
    ])
    expect(json.data[2]).toMatchObject({
      status: 'streaming',
      user_name: 'ada',
      key_name: 'laptop',
      duration_ms: 9000,
      first_token_ms: 300,
      input_tokens: 10,
      output_tokens: 5,
      total_tokens: 15,
      cost_usd: 0.000001,
    })
    expect(json.meta).toEqual({ pending: 1, streaming: 2, lost: 2, complete: true })
  })

  test('a viewer sees no names (USE-4)', async () => {
    here.own = [at(10, { userId: newId(), accountId: newId() })]
    const row = (await api.ask('GET', PATH, undefined, viewer)).json.data[0]
    expect([row.user_name, row.key_name, row.account_name]).toEqual([null, null, null])
    expect(row.key_id).toBe(here.own[0]!.keyId)
    const feed = await openFeed('', viewer)
    expect((await feed.next()).data[0].key_name).toBeNull()
    await feed.leave()
  })

  test('filters by ids and by user; the counts are those of the filter (USE-4)', async () => {
    const user = newId()
    here.own = [at(1), at(2, { userId: user })]
    here.others = [at(3), at(4, { userId: user })]
    expect(await ids(`user_id=${user}`)).toEqual([here.own[1]!.id, here.others[1]!.id])
    expect(await ids(`ids=${here.own[0]!.id},${here.others[0]!.id.toUpperCase()}`)).toEqual([
      here.own[0]!.id,
      here.others[0]!.id,
    ])
    const { meta } = (await api.ask('GET', `${PATH}?user_id=${user}`)).json
    expect([meta.pending, meta.streaming]).toEqual([0, 2])
    expect(await ids('user_id=nobody')).toEqual([])
  })

  test('goes page by page over both, none twice and none left out (contract.md)', async () => {
    here.own = Array.from({ length: 7 }, (_, index) => at(index * 20))
    here.others = Array.from({ length: 6 }, (_, index) => at(index * 20 + 10))
    const seen: string[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { json } = await api.ask('GET', `${PATH}?limit=3${cursor && `&cursor=${cursor}`}`)
      seen.push(...json.data.map(({ id }: { id: string }) => id))
      cursor = json.next_cursor
    }
    expect(seen).toEqual([...here.own, ...here.others].sort(byNewest).map(({ id }) => id))
  })

  test('with the database away tells this instance’s own, and that they are not all (OPS-5)', async () => {
    here.own = [at(1)]
    here.away = true
    const { status, json } = await api.ask('GET', PATH)
    expect([status, json.data.length, json.meta]).toEqual([
      200,
      1,
      { pending: 0, streaming: 1, lost: null, complete: false },
    ])
  })

  test('ids that are none, too many ids and pauses that are too short are a 400 naming them (contract.md)', async () => {
    const tooMany = Array.from({ length: 101 }, () => newId()).join(',')
    for (const [path, field] of [
      [`${PATH}?ids=1,2`, 'ids'],
      [`${PATH}?ids=${tooMany}`, 'ids'],
      [`${PATH}/stream?ids=x`, 'ids'],
      [`${PATH}/stream?every_seconds=0.4`, 'every_seconds'],
      [`${PATH}/stream?cursor=abc`, 'cursor'],
    ] as const) {
      const answer = await api.ask('GET', path)
      expect([path.slice(0, 60), answer.status, answer.json.error.field]).toEqual([path.slice(0, 60), 400, field])
    }
  })
})

describe('/admin/usage/active/stream', () => {
  test('each event is the whole list as it is then; it says once that nothing runs (USE-4)', async () => {
    const feed = await openFeed('?every_seconds=0.5&limit=1')
    expect(feed.answer.headers.get('content-type')).toBe('text/event-stream')
    expect((await feed.next()).data).toEqual([])
    here.own = [at(100), at(200)]
    const event = await feed.next()
    expect(event.data).toMatchObject([{ id: here.own[0]!.id, status: 'streaming' }])
    expect(event.meta).toMatchObject({ streaming: 2 })
    here.own = []
    expect((await feed.next()).data).toEqual([])
    await feed.leave()
  })

  test('a reader that has left costs nothing more; there is an end to how many may read (USE-4)', async () => {
    const feeds = await Promise.all(Array.from({ length: 20 }, () => openFeed('?every_seconds=60')))
    await Promise.all(feeds.map((feed) => feed.next()))
    const refused = await api.ask('GET', `${PATH}/stream`)
    expect([refused.status, refused.json.error.code]).toEqual([429, 'too_many_feeds'])
    await Promise.all(feeds.map((feed) => feed.leave()))
    const { asked } = here
    const again = await openFeed()
    await again.next()
    await again.leave()
    expect(here.asked).toBe(asked + 1)
  })
})
