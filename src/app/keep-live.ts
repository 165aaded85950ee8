/**
 * This instance among others (USE-2, USE-3): says every few seconds that it is alive and which of its requests run for long, and reads the
 * others' when somebody looks. Off the request path.
 *
 * If it fails: the others take this instance for gone after `INSTANCE_TIMEOUT` and mark its requests failed, provisionally; the real receipts
 * take the marks' place (db/lost-records).
 */
import type { LiveSource } from '../admin/live.ts'
import type { Sql } from '../db/client.ts'
import {
  countLostRequests,
  deleteLiveInstance,
  listOthersLiveRequests,
  writeLiveRequests,
} from '../db/live-requests.ts'
import { newId } from '../lib/ids.ts'
import type { Log } from '../lib/log.ts'
import type { Stack } from '../lib/stack.ts'
import type { LiveRequests } from '../relay/live-requests.ts'
import type { Directory } from '../state/directory.ts'

export interface LiveKeeper {
  instanceId: string
  source: LiveSource
  /** One turn now: tests don't wait. */
  write(): Promise<void>
}

export interface LiveKeeperInput {
  sql: Sql
  live: LiveRequests
  directory: Pick<Directory, 'findUser' | 'findKey' | 'pool'>
  /** Requests that run for so long are shown by the others. */
  shareAfterMs: number
  /** Whoever gave no sign of life for so long is gone. */
  silentMs: number
  nowMs(): number
  log: Log
  stack: Stack
}

/** Signs of life within the time after which an instance counts as gone. */
const SIGNS = 6
/** Long-running requests that one instance shows to the others, and that one reads of all others. */
const MOST_SHARED = 10_000
/** However many look, the database is asked once in so long. */
const READ_EVERY_MS = 2000

export async function openLiveKeeper(input: LiveKeeperInput): Promise<LiveKeeper> {
  const { sql, live, directory, silentMs, nowMs, log } = input
  const instanceId = newId()
  let failing = false

  async function write(): Promise<void> {
    const requests = await live.list({ startedBeforeMs: nowMs() - input.shareAfterMs }, MOST_SHARED)
    await writeLiveRequests(sql, { instanceId, silentMs, requests })
  }
  async function turn(): Promise<void> {
    try {
      await write()
      failing = false
    } catch (error) {
      if (!failing) log.error('the other instances could not be told of this one', { error })
      failing = true
    }
  }
  await input.stack.use(
    'sign of life',
    () => repeat(turn, silentMs / SIGNS),
    async (stop) => {
      await stop()
      await deleteLiveInstance(sql, instanceId)
    },
  )
  const readOthers = atMostEvery(READ_EVERY_MS, () =>
    listOthersLiveRequests(sql, { instanceId, silentMs, limit: MOST_SHARED }),
  )
  const readLost = atMostEvery(READ_EVERY_MS, () => countLostRequests(sql, silentMs))
  const source: LiveSource = {
    list: live.list,
    counts: live.counts,
    listOthers: readOthers,
    countLost: readLost,
    nameOfUser: (id) => directory.findUser(id)?.username ?? null,
    nameOfKey: (id) => directory.findKey(id)?.key.name ?? null,
    nameOfAccount: (id) => directory.pool.get(id)?.account.name ?? null,
  }
  return { instanceId, source, write }
}

/** Now, and again so long after each end. The function it gives ends it and waits for a turn under way. */
function repeat(turn: () => Promise<void>, everyMs: number): () => Promise<void> {
  let timer: ReturnType<typeof setTimeout> | null = null
  let stopped = false
  let running = Promise.resolve()
  const run = () => {
    running = turn().then(() => {
      if (stopped) return
      timer = setTimeout(run, everyMs)
      timer.unref()
    })
  }
  run()
  return () => {
    stopped = true
    if (timer) clearTimeout(timer)
    return running
  }
}

/** Whoever asks meanwhile gets the answer of before; a failure is nobody's answer but theirs who asked for it. */
function atMostEvery<T>(everyMs: number, ask: () => Promise<T>): () => Promise<T> {
  let last: { at: number; answer: Promise<T> } | null = null
  return () => {
    if (last && performance.now() - last.at < everyMs) return last.answer
    const answer = ask()
    last = { at: performance.now(), answer }
    answer.catch(() => {
      if (last?.answer === answer) last = null
    })
    return answer
  }
}
