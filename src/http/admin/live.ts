/** `/admin/usage/active`: requests under way, for polling and as a feed (USE-4). */
import { type Static, Type } from '@sinclair/typebox'
import type { LiveAdmin, LivePage, LiveQuery } from '../../admin/live.ts'
import { type Fault, invalid, isFault } from '../../core/fault.ts'
import { createFeed } from '../../lib/sse-feed.ts'
import { scheduleTimeout } from '../../lib/wait-queue.ts'
import { UUID_PATTERN } from '../../schema/field.ts'
import { LiveRequestView, toLiveRow } from '../../schema/live-request-views.ts'
import { problem } from '../answer.ts'
import { exampleOf } from '../describe-call.ts'
import { type Call, call } from './call.ts'
import { listAnswer, listQuery, toPageQuery } from './lists.ts'

const tag = 'Usage'

/** Readers of the feed at a time. At their worst, 200 requests twice a second for each, they take a third of a core (test/bench/live.ts). */
const MOST_FEEDS = 20
const MOST_IDS = 100
const HEARTBEAT_MS = 15_000

const ids = Type.Optional(
  Type.String({
    maxLength: MOST_IDS * 37,
    description: `Only these requests: ids, separated by commas, at most ${MOST_IDS}`,
    example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e19',
  }),
)
const userId = Type.Optional(Type.String({ maxLength: 36, description: 'Only of this user' }))
const listed = listQuery({ ids, user_id: userId })
const followed = Type.Object(
  {
    ids,
    user_id: userId,
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 200, description: 'The newest so many; 50 unless told', example: 50 }),
    ),
    every_seconds: Type.Optional(
      Type.Number({ minimum: 0.5, maximum: 60, description: 'Between two events; 1 unless told', example: 1 }),
    ),
  },
  { additionalProperties: false },
)

const Meta = Type.Object({
  pending: Type.Integer({ description: 'All that fit the filter, on whatever page', example: 3 }),
  streaming: Type.Integer({ description: 'Likewise', example: 12 }),
  lost: Type.Union([Type.Integer(), Type.Null()], {
    description: 'Of instances without a sign of life, not yet marked failed (USE-3); null: the database is away',
    example: 0,
  }),
  complete: Type.Boolean({
    description: 'false: the database is away, and the other instances’ requests are not in it',
    example: true,
  }),
})
const page = listAnswer('LiveRequest', LiveRequestView.schema)
const Answer = Type.Object({ ...page.properties, meta: Meta }, { title: 'LiveRequestList' })

export function liveCalls({ list }: LiveAdmin): Call[] {
  let feeds = 0
  const common = { method: 'GET', tag, status: 200, problems: [] } as const
  const listCall = call({
    ...common,
    path: '/admin/usage/active',
    summary: 'List requests under way',
    description:
      'Newest first, with what they have used so far (USE-4). Of other instances only those that have run for LIVE_SHARE_AFTER seconds, some seconds old (USE-2).',
    query: listed,
    answer: Answer,
    handle: async ({ query, actor }) => {
      const wish = toLiveQuery(query)
      if (isFault(wish)) return wish
      const found = await list(actor, wish)
      return isFault(found) ? found : show(found)
    },
  })
  const feedCall = call({
    ...common,
    path: '/admin/usage/active/stream',
    summary: 'Follow requests under way',
    description:
      'The same list as Server-Sent Events: each event is the whole list as it is then, so that a slow reader misses nothing by what is skipped. Nothing is sent while nothing runs, but for a comment every 15 seconds (USE-4).',
    query: followed,
    streams: { 'text/event-stream': `data: ${JSON.stringify(exampleOf(Answer))}\n\n` },
    handle: async ({ query, actor }) => {
      const wish = toLiveQuery(query)
      if (isFault(wish)) return wish
      if (feeds >= MOST_FEEDS) {
        const message = `there are ${MOST_FEEDS} readers of this feed already; poll /admin/usage/active instead`
        return { ...problem(429, 'too_many_feeds', message), retryAfterSeconds: 10 }
      }
      feeds++
      const pieces = createFeed({
        everyMs: (query.every_seconds ?? 1) * 1000,
        heartbeatMs: HEARTBEAT_MS,
        next: newest(() => list(actor, wish)),
        schedule: scheduleTimeout,
        onEnd: () => feeds--,
      })
      return { pieces, contentType: 'text/event-stream' }
    },
  })
  return [listCall, feedCall]
}

/** Null once it is known that nothing runs. */
function newest(list: () => Promise<LivePage | Fault>): () => Promise<string | null> {
  let wasEmpty = false
  return async () => {
    const found = await list()
    if (isFault(found)) return null
    const isEmpty = found.rows.length === 0
    if (isEmpty && wasEmpty) return null
    wasEmpty = isEmpty
    return JSON.stringify(show(found))
  }
}

function show({ rows, nextCursor, counts, lost, complete }: LivePage): Static<typeof Answer> {
  return {
    data: rows.map(({ request, names, durationMs }) => LiveRequestView.show(toLiveRow(request, names, durationMs))),
    next_cursor: nextCursor,
    meta: { ...counts, lost, complete },
  }
}

function toLiveQuery(given: { ids?: string; user_id?: string; limit?: number; cursor?: string }): LiveQuery | Fault {
  const { ids: text, user_id } = given
  const wanted = text?.split(',').map((id) => id.trim().toLowerCase())
  if (wanted && (wanted.length > MOST_IDS || !wanted.every((id) => UUID.test(id)))) {
    return invalid('ids', `ids must be at most ${MOST_IDS} request ids, separated by commas`)
  }
  return { ...toPageQuery(given), ids: wanted, userId: user_id }
}

const UUID = new RegExp(UUID_PATTERN)
