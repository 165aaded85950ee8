/**
 * Which of several instances does what one must do alone (OPS-4): the one whose session holds an advisory lock. The lock goes with the
 * session: when the process dies, the server gives it to whoever tries next, without any clock being compared.
 *
 * A process that is alive but cut off or frozen sends nothing: the server ends its session after `SESSION` turns and so frees the lock; the
 * process itself stops believing after `BELIEF` turns, which is sooner. Two leaders at a time are so only possible for work that began before.
 * Needs a session of its own: a pooler that lends connections per transaction (PgBouncer's `transaction` mode) keeps no session's locks.
 *
 * If it fails: nobody leads until the database can be asked again; each turn tries.
 */
import { connect, type Sql, type Target } from './client.ts'

export interface LeaderLease {
  isLeader(): boolean
  /** Gives the lock up. */
  close(): Promise<void>
}

export interface LeaderLeaseOptions {
  target: Target
  /** Between two turns: a follower tries, a leader makes sure. */
  everyMs?: number
  onChange?(leads: boolean): void
}

/** In turns. */
const BELIEF = 3
const SESSION = 4

/** Any constant does, as long as nothing else in the database locks it: "tp-leads" in ASCII. */
const LOCK = '8390041687068402803'

/** Leads nothing yet: the first turn is under way. */
export function startLeaderLease({ target, everyMs = 5000, onChange = () => {} }: LeaderLeaseOptions): LeaderLease {
  /** The server process of the session that has the lock; another one answers after a reconnection. */
  let holder: number | null = null
  let believedUntil = 0
  let timer: ReturnType<typeof setTimeout> | null = null
  let closed = false
  let told = false

  const open = () =>
    connect(target, {
      max: 1,
      statementTimeoutMs: everyMs * BELIEF,
      idleSessionTimeoutMs: everyMs * SESSION,
      onClose: () => follow(null),
    })
  let sql = open()

  const isLeader = () => holder !== null && performance.now() < believedUntil

  function follow(next: number | null): void {
    holder = next
    if (closed || told === isLeader()) return
    told = !told
    onChange(told)
  }

  async function turn(): Promise<void> {
    const askedAt = performance.now()
    const answer = await within(everyMs * BELIEF, ask(sql, holder))
    if (closed) return
    if (answer === 'silence') {
      void sql.end({ timeout: 0 }).catch(() => {})
      sql = open()
    }
    believedUntil = askedAt + everyMs * BELIEF
    follow(typeof answer === 'number' ? answer : null)
    timer = setTimeout(() => void turn(), everyMs)
    timer.unref()
  }

  void turn()
  return {
    isLeader,
    async close() {
      closed = true
      holder = null
      if (timer) clearTimeout(timer)
      await sql.end({ timeout: 0 })
    },
  }
}

/** The server process of the session if it has the lock; null: another session has it, or nobody could be asked. */
async function ask(sql: Sql, holder: number | null): Promise<number | null> {
  try {
    // A lock is taken once per session: asking again would count.
    const [row] = await sql<{ pid: number; leads: boolean }[]>`
      select pid, case when pid = ${holder ?? 0} then true else pg_try_advisory_lock(${LOCK}::bigint) end as leads
      from pg_backend_pid() as pid`
    return row?.leads ? row.pid : null
  } catch {
    return null
  }
}

async function within<T>(limitMs: number, work: Promise<T>): Promise<T | 'silence'> {
  const { promise, resolve } = Promise.withResolvers<'silence'>()
  const timer = setTimeout(resolve, limitMs, 'silence')
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}
