/**
 * Requests under way, of all instances (USE-4): this one's from memory, as they are now; the others' long-running ones from the database, some
 * seconds old (USE-2). Knows what an administrator may see of them and a viewer may not.
 *
 * If it fails: when the database is away, this instance's own are told, and that they are not all.
 */
import { type Fault, isFault } from '../core/fault.ts'
import { byNewest, isWanted, type LiveCounts, type LiveFilter, type LiveRequest } from '../core/live-request.ts'
import { decodeIdCursor, encodeCursor, type PageQuery, toPage } from '../db/page.ts'
import type { Actor } from './actor.ts'

/** What a running gateway knows of them. */
export interface LiveSource {
  /** This instance's own, newest first. */
  list(filter: LiveFilter, limit: number): Promise<LiveRequest[]>
  counts(filter: LiveFilter): LiveCounts
  /** Of the other instances, at most some seconds old. */
  listOthers(): Promise<LiveRequest[]>
  /** Requests whose instance gives no sign of life and which are not marked failed yet (USE-3). */
  countLost(): Promise<number>
  nameOfUser(id: string): string | null
  nameOfKey(id: string): string | null
  nameOfAccount(id: string): string | null
}

/** Of a process that relays nothing: the command line. */
export const NOTHING_LIVE: LiveSource = {
  list: async () => [],
  counts: () => ({ pending: 0, streaming: 0 }),
  listOthers: async () => [],
  countLost: async () => 0,
  nameOfUser: () => null,
  nameOfKey: () => null,
  nameOfAccount: () => null,
}

/** For administrators; a viewer sees null everywhere. */
export interface LiveNames {
  user: string | null
  key: string | null
  account: string | null
}

export interface LivePage {
  rows: { request: LiveRequest; names: LiveNames; durationMs: number }[]
  nextCursor: string | null
  /** Of all that the filter lets through, not only this page. */
  counts: LiveCounts
  /** Null: the database could not be asked. */
  lost: number | null
  /** Are the other instances' in it? */
  complete: boolean
}

export type LiveQuery = PageQuery & Pick<LiveFilter, 'ids' | 'userId'>
export type LiveAdmin = ReturnType<typeof createLiveAdmin>

const NO_NAMES: LiveNames = { user: null, key: null, account: null }

export function createLiveAdmin({ live, nowMs }: { live: LiveSource; nowMs(): number }) {
  return {
    async list(actor: Actor, query: LiveQuery): Promise<LivePage | Fault> {
      const before = decodeIdCursor(query.cursor)
      if (isFault(before)) return before
      const { ids, userId, limit } = query
      const filter: LiveFilter = { ids, userId }
      const page: LiveFilter = before === null ? filter : { ...filter, beforeId: before }
      const [own, others, lost] = await Promise.all([
        live.list(page, limit + 1),
        orNull(live.listOthers()),
        orNull(live.countLost()),
      ])
      const othersWanted = (others ?? []).filter((request) => isWanted(filter, request))
      const merged = [...own, ...othersWanted.filter((request) => isWanted(page, request))].sort(byNewest)
      const { rows, nextCursor } = toPage(merged, limit, ({ id }) => encodeCursor(id))
      const now = nowMs()
      return {
        rows: rows.map((request) => ({
          request,
          names: actor.role === 'admin' ? namesOf(live, request) : NO_NAMES,
          durationMs: Math.max(0, now - request.createdAtMs),
        })),
        nextCursor,
        counts: addCounts(live.counts(filter), othersWanted),
        lost,
        complete: others !== null,
      }
    },
  }
}

function namesOf(live: LiveSource, { userId, keyId, accountId }: LiveRequest): LiveNames {
  return {
    user: userId && live.nameOfUser(userId),
    key: keyId && live.nameOfKey(keyId),
    account: accountId && live.nameOfAccount(accountId),
  }
}

function addCounts(own: LiveCounts, others: readonly LiveRequest[]): LiveCounts {
  const streaming = others.filter(({ status }) => status === 'streaming').length
  return { pending: own.pending + others.length - streaming, streaming: own.streaming + streaming }
}

/** What can't be told is left out, not refused: the list is wanted most when something is wrong. */
function orNull<T>(asked: Promise<T>): Promise<T | null> {
  return asked.catch(() => null)
}
