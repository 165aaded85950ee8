/**
 * The clients of a soak: so many requests a second, of four protocols and many manners, and what became of each, as the client saw it. Knows
 * nothing of the gateway but its answers.
 */
import { ANTHROPIC, CHAT, type Dialect, GEMINI, RESPONSES } from './dialects.ts'
import type { Pace, SoakUpstream } from './soak-upstream.ts'

export interface SoakKeys {
  /** Unlimited; half of them `drain`, half of them `abort` when their client leaves. */
  plain: readonly string[]
  /** Refused now and then: by a rate, by slots. */
  limited: readonly string[]
}

/** How a request ended, as its client saw it; `told`: in an error event of a stream, to a client that would have stayed. `failed` and `torn` must not happen. */
export type Ending = 'whole' | 'told' | 'limited' | 'turned away' | 'left' | 'failed' | 'torn'

export interface SoakLoad {
  readonly endings: Readonly<Record<Ending, number>>
  readonly inFlight: number
  /** Ids of answers to good keys; each must have its record. */
  ids: ReadonlySet<string>
  /** Requests that certainly got past authentication. */
  readonly certain: number
  /** Those whose client left so early that nobody can tell. */
  readonly doubtful: number
  /** Arrivals left out, because too many were under way. */
  readonly heldBack: number
  /** The first few that failed or were torn, in words. */
  faults: readonly string[]
  start(perSecond: number): void
  /** So many long streams at once; resolves when all have ended. */
  burst(count: number): Promise<void>
  /** No more arrivals; resolves when all have ended. */
  stop(): Promise<void>
}

type Manner = 'stream' | 'whole' | 'long' | 'wide' | 'big' | 'leaver' | 'early leaver' | 'limited' | 'wrong key'
/** In percent. */
const MANNERS: readonly [Manner, number][] = [
  ['stream', 38],
  ['whole', 32],
  ['long', 2],
  ['wide', 0.5],
  ['big', 1.5],
  ['leaver', 15],
  ['early leaver', 2],
  ['limited', 4],
  ['wrong key', 5],
]
const PACE_OF: Partial<Record<Manner, Pace>> = { long: 'long', wide: 'wide' }

const DIALECTS = [RESPONSES, CHAT, ANTHROPIC, GEMINI]
/** Bun's `fetch` lets 256 be under way in a process. */
const MOST_IN_FLIGHT = 230
const TICK_MS = 10
/** Bindings live for an hour: with as many keys and dialects few enough that all have been seen in the first minutes, else memory grows by them. */
const SESSIONS = 100
const BIG_BYTES = 300_000
/** Leavers go up to so long after their request has come to the provider: before, between and after the pieces of a short stream. */
const LATEST_LEAVE_MS = 300
const EARLIEST_LEAVE_MS = 15
const FAULTS_KEPT = 20

const pick = <T>(list: readonly T[]) => list[Math.floor(Math.random() * list.length)] as T
const padding = 'x'.repeat(BIG_BYTES)

function pickManner(): Manner {
  let left = Math.random() * 100
  for (const [manner, share] of MANNERS) {
    left -= share
    if (left < 0) return manner
  }
  return 'stream'
}

interface Sent {
  manner: Manner
  dialect: Dialect
  streamed: boolean
  mark: string
  leaves: AbortController | null
}

export function createSoakLoad(url: () => string, upstream: SoakUpstream, keys: SoakKeys): SoakLoad {
  const endings = { whole: 0, told: 0, limited: 0, 'turned away': 0, left: 0, failed: 0, torn: 0 }
  const ids = new Set<string>()
  const faults: string[] = []
  const running = new Set<Promise<void>>()
  let [count, certain, doubtful, heldBack] = [0, 0, 0, 0]
  let timer: ReturnType<typeof setInterval> | null = null

  function begin(manner: Manner): Promise<void> {
    const dialect = pick(DIALECTS)
    const streamed = manner !== 'whole' && manner !== 'big' && (manner !== 'limited' || Math.random() < 0.5)
    const mark = String(++count)
    const leaves = manner.endsWith('leaver') ? new AbortController() : null
    return perform({ manner, dialect, streamed, mark, leaves })
  }

  async function perform(sent: Sent): Promise<void> {
    const { manner, dialect, streamed, mark, leaves } = sent
    const isEarly = manner === 'early leaver'
    if (isEarly) setTimeout(() => leaves?.abort(), Math.random() * EARLIEST_LEAVE_MS)
    else if (leaves) void upstream.whenSeen(mark).then(() => leaveSoon(leaves))
    let id: string | null = null
    try {
      const response = await fetch(url() + (streamed ? dialect.path : dialect.wholePath), {
        method: 'POST',
        headers: headersOf(manner, keyFor(manner)),
        body: bodyOf(sent),
        signal: leaves?.signal,
      })
      id = response.headers.get('x-turnpike-request-id')
      if (leaves && !isEarly && !response.ok) leaves.abort()
      conclude(sent, response.status, await response.text())
    } catch (error) {
      if (leaves?.signal.aborted) endings.left++
      else note('torn', `${manner} ${dialect.name}: ${error}`)
    } finally {
      upstream.forget(mark)
      if (manner !== 'wrong key') {
        if (id !== null) ids.add(id)
        if (id !== null || !isEarly) certain++
        else doubtful++
      }
    }
  }

  function keyFor(manner: Manner): string {
    if (manner === 'wrong key') return `tp_${Bun.randomUUIDv7()}`
    return pick(manner === 'limited' ? keys.limited : keys.plain)
  }

  function conclude({ manner, dialect, streamed, leaves }: Sent, status: number, text: string): void {
    if (status === 429 && manner === 'limited') endings.limited++
    else if ((status === 401 || status === 429) && manner === 'wrong key') endings['turned away']++
    else if (status !== 200) note('failed', `${manner} ${dialect.name}: ${status} ${text.slice(0, 300)}`)
    else if (!streamed || text.endsWith(dialect.closing.at(-1) ?? '')) endings.whole++
    else if (dialect.failureIn(text) !== null) endings[leaves ? 'left' : 'told']++
    else note('torn', `${manner} ${dialect.name}: ended with ${JSON.stringify(text.slice(-200))}`)
  }

  function note(ending: 'failed' | 'torn', what: string): void {
    endings[ending]++
    if (faults.length < FAULTS_KEPT) faults.push(`${new Date().toISOString()} ${ending}: ${what}`)
  }

  function add(manner: Manner): Promise<void> {
    const one = begin(manner).finally(() => running.delete(one))
    running.add(one)
    return one
  }

  return {
    endings,
    ids,
    faults,
    get inFlight() {
      return running.size
    },
    get certain() {
      return certain
    },
    get doubtful() {
      return doubtful
    },
    get heldBack() {
      return heldBack
    },
    start(perSecond) {
      let [last, owed] = [performance.now(), 0]
      timer = setInterval(() => {
        const now = performance.now()
        owed += ((now - last) / 1000) * perSecond
        last = now
        for (; owed >= 1; owed--) {
          if (running.size < MOST_IN_FLIGHT) void add(pickManner())
          else heldBack++
        }
      }, TICK_MS)
    },
    burst: async (size) => void (await Promise.all(Array.from({ length: size }, () => add('long')))),
    async stop() {
      if (timer !== null) clearInterval(timer)
      await Promise.all(running)
    },
  }
}

const leaveSoon = (leaves: AbortController) => void setTimeout(() => leaves.abort(), Math.random() * LATEST_LEAVE_MS)

function headersOf(manner: Manner, key: string): Record<string, string> {
  const session = { session_id: `session-of-the-soak-${Math.floor(Math.random() * SESSIONS)}` }
  return {
    authorization: `Bearer ${key}`,
    'content-type': 'application/json',
    ...(manner === 'whole' ? {} : session),
  }
}

/** What the provider must know stands first in the body, where it is found at once. */
function bodyOf({ manner, dialect, streamed, mark, leaves }: Sent): string {
  const told = JSON.stringify({ soak: mark, leaves: leaves !== null, pace: PACE_OF[manner] ?? 'short' }).slice(0, -1)
  const big = manner === 'big' ? `,"padding":"${padding}"` : ''
  return `${told}${big},${(streamed ? dialect.request : dialect.wholeRequest).slice(1)}`
}
