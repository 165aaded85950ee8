/**
 * Sessions shared by all instances (OPS-4, ACC-4): the same `Sticky`, with Redis behind the memory of this process. What was used here within
 * the last minute is answered from memory, anything else costs one GET; binding is never waited for.
 *
 * A session that moves is told to all over the bus, so that nobody keeps its old account. Should that be missed (a gap in hearing, a cluster
 * node that went), memory is believed for a minute only.
 *
 * If it fails: memory answers, and Redis is left alone for a second. What was bound meanwhile reaches it at the session's next success.
 */
import type { Later } from '../lib/later.ts'
import { createLru } from '../lib/lru.ts'
import type { Bus } from './bus.ts'
import { defineScript, type ScriptClient } from './redis-script.ts'
import bindText from './scripts/bind.lua' with { type: 'text' }
import { BINDING_MS, MOST_SESSIONS, type Sticky, type StickyOptions } from './sticky.ts'

export interface SharedStickyOptions extends StickyOptions {
  client: ScriptClient & { get(key: string): Promise<string | null> }
  bus: Bus
}

interface Binding {
  accountId: string
  untilMs: number
  /** When it was last known to be Redis' word. */
  checkedMs: number
  /** When Redis was last told; 0: it does not know. */
  writtenMs: number
}

/** For how long memory is believed. */
const TRUST_MS = 60_000
const AWAY_MS = 1000
/** Kept warm in Redis when an eighth of its time is over: not a write for every request. */
const REWRITE_PART = 1 / 8

const bindScript = defineScript(bindText)
const keyOf = (bindingKey: string) => `tp:{${bindingKey}}:session`

export function createSharedSticky(options: SharedStickyOptions): Sticky {
  const { client, bus, nowMs, ttlMs = BINDING_MS } = options
  const bindings = createLru<string, Binding>(options.mostSessions ?? MOST_SESSIONS)
  let awayUntilMs = 0
  let trustedFromMs = 0
  let moves = 0

  function known(bindingKey: string): Binding | null {
    const binding = bindings.get(bindingKey)
    return binding && binding.untilMs > nowMs() ? binding : null
  }

  function find(bindingKey: string): Later<string | null> {
    const binding = known(bindingKey)
    const now = nowMs()
    const isFresh = binding && binding.checkedMs + TRUST_MS > now && binding.checkedMs >= trustedFromMs
    return isFresh || now < awayUntilMs ? (binding?.accountId ?? null) : ask(bindingKey)
  }

  async function ask(bindingKey: string): Promise<string | null> {
    const movesBefore = moves
    try {
      const stored = parse(await client.get(keyOf(bindingKey)), nowMs())
      if (stored === null) return unknownToRedis(bindingKey)
      const { accountId, untilMs } = stored
      // A session that moved while the answer was on its way may be this one: then it is asked for again next time.
      if (moves === movesBefore) {
        bindings.set(bindingKey, { accountId, untilMs, checkedMs: nowMs(), writtenMs: untilMs - ttlMs })
      }
      return accountId
    } catch {
      awayUntilMs = nowMs() + AWAY_MS
      return known(bindingKey)?.accountId ?? null
    }
  }

  /** It was bound while Redis was away, or Redis has forgotten: memory is right, and says so at the next success. */
  function unknownToRedis(bindingKey: string): string | null {
    const binding = known(bindingKey)
    if (!binding) return null
    binding.checkedMs = nowMs()
    binding.writtenMs = 0
    return binding.accountId
  }

  function bind(bindingKey: string, accountId: string): void {
    const before = known(bindingKey)
    const now = nowMs()
    const isWarm = before?.accountId === accountId && before.writtenMs + ttlMs * REWRITE_PART > now
    const writtenMs = isWarm ? before.writtenMs : 0
    const binding = { accountId, untilMs: now + ttlMs, checkedMs: before?.checkedMs ?? now, writtenMs }
    bindings.set(bindingKey, binding)
    if (!isWarm && now >= awayUntilMs) void write(bindingKey, binding)
  }

  async function write(bindingKey: string, binding: Binding): Promise<void> {
    const { accountId, untilMs } = binding
    binding.writtenMs = nowMs()
    binding.checkedMs = binding.writtenMs
    try {
      const replaced = await bindScript(client, [keyOf(bindingKey)], [`${accountId} ${untilMs}`, String(ttlMs)])
      const before = parse(replaced, 0)
      if (before !== null && before.accountId !== accountId) bus.say('session', bindingKey)
    } catch {
      awayUntilMs = nowMs() + AWAY_MS
      binding.writtenMs = 0
    }
  }

  bus.hear('session', (bindingKey) => {
    moves++
    bindings.delete(bindingKey)
  })
  bus.onGap(() => {
    moves++
    trustedFromMs = nowMs() + 1
  })
  return {
    find,
    bind,
    get size() {
      return bindings.size
    },
  }
}

function parse(stored: unknown, nowMs: number): { accountId: string; untilMs: number } | null {
  if (typeof stored !== 'string') return null
  const [accountId = '', until] = stored.split(' ')
  const untilMs = Number(until)
  return accountId !== '' && untilMs > nowMs ? { accountId, untilMs } : null
}
