import { expect, test } from 'bun:test'
import { makeAccount, makeGroup, makeKey } from '../support/make.ts'
import { CHAT, chatAnswer, createTestRelay } from '../support/relay.ts'

const SESSIONS = 50
const TURNS = 20

test('50 sessions of 20 turns with two accounts going away: each moves only when it must, never across groups or keys (ACC-4)', async () => {
  const accounts = ['a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'b0', 'b1'].map((id) =>
    makeAccount({ id, credentials: { apiKey: `sk-${id}` }, groupIds: [id.startsWith('a') ? 'A' : 'B'] }),
  )
  const keys = [
    makeKey({ id: 'key-1', groupId: 'A' }),
    makeKey({ id: 'key-2', groupId: 'A' }),
    makeKey({ id: 'key-3', groupId: 'B' }),
  ]
  const groups = [makeGroup({ id: 'A' }), makeGroup({ id: 'B', isDefault: false })]
  const { call, clock, directory, receipts } = await createTestRelay({
    accounts,
    keys,
    groups,
    script: () => chatAnswer(),
  })
  const gone = new Map([
    [7, 'a1'],
    [13, 'a4'],
  ])
  const out = new Set<string>()
  /** Session → the accounts that served it, turn by turn. */
  const served = new Map<string, string[]>()
  for (let turn = 0; turn < TURNS; turn++) {
    const leaving = gone.get(turn)
    if (leaving) {
      out.add(leaving)
      const account = directory.pool.get(leaving)?.account
      if (account) directory.pool.put({ ...account, status: 'disabled' })
    }
    for (let session = 0; session < SESSIONS; session++) {
      clock.nowMs += 100
      const key = keys[session % keys.length]
      // The same ids under different keys: nobody can steer somebody else's binding.
      const name = `s${Math.floor(session / keys.length)}`
      const response = await call('chat_completions', { ...CHAT, prompt_cache_key: name }, { key: key?.id ?? '' })
      expect(response.status).toBe(200)
      const place = `${key?.id} ${name}`
      served.set(place, [...(served.get(place) ?? []), receipts.at(-1)?.accountId ?? ''])
    }
  }
  let warm = 0
  let moves = 0
  for (const [place, list] of served) {
    for (let turn = 1; turn < TURNS; turn++) {
      const [before, now] = [list[turn - 1] ?? '', list[turn] ?? '']
      if (before === now) warm++
      else {
        moves++
        // Moved only because its account had gone at this very turn.
        expect([gone.get(turn), out.has(before)]).toEqual([before, true])
      }
    }
    const group = place.startsWith('key-3') ? 'b' : 'a'
    expect(list.every((id) => id.startsWith(group))).toBe(true)
  }
  expect(served.size).toBe(SESSIONS)
  expect(moves).toBeGreaterThan(0)
  // All but the turns right after an account went are served where the prompt cache is warm.
  expect(warm).toBe(SESSIONS * (TURNS - 1) - moves)
  expect(receipts.filter((receipt) => receipt.choice?.sticky === 'hit')).toHaveLength(warm)
  console.info(`cache-friendly turns: ${((warm / (SESSIONS * (TURNS - 1))) * 100).toFixed(1)} %, moves: ${moves}`)
})
