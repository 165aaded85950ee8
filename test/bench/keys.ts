/**
 * What verifying an API key costs with 100,000 of them (KEY-3), and what one weighs: bun test/bench/keys.ts
 *
 * A look-up is the HMAC of the key and a Map; an unknown key costs the same, plus its place in the debt of its address (KEY-14).
 */
import type { ApiKey } from '../../src/core/entities.ts'
import { createKeyHash } from '../../src/lib/hash-api-key.ts'
import { createDirectory, type DirectoryKey } from '../../src/state/directory.ts'
import { createKeyAttempts } from '../../src/state/key-attempts.ts'
import { makeKey } from '../support/make.ts'

const KEYS = 100_000
const LOOKUPS = 200_000
const hashKey = createKeyHash(crypto.getRandomValues(new Uint8Array(32)))
const secretOf = (index: number) => `tp_${index.toString(16).padStart(64, '0')}`
const hashes = Array.from({ length: KEYS }, (_, index) => hashKey(secretOf(index)))

function residentBytes(): number {
  Bun.gc(true)
  return process.memoryUsage().rss
}

/** As they come from the database: nothing is shared between two of them. */
function entryOf(index: number): DirectoryKey {
  const key = structuredClone(makeKey({ id: crypto.randomUUID(), name: `key ${index}`, userId: crypto.randomUUID() }))
  return { key: key as ApiKey, hash: hashes[index] ?? '', previous: null }
}

const absent = async () => null
const before = residentBytes()
const directory = createDirectory({
  loader: {
    loadAll: async () => ({
      users: [],
      groups: [],
      accounts: [],
      subscriptions: [],
      keys: Array.from({ length: KEYS }, (_, index) => entryOf(index)),
    }),
    loadUser: absent,
    loadGroup: absent,
    loadKey: absent,
    loadAccount: absent,
    loadSubscription: absent,
  },
  hashKey,
  poolsOf: () => [],
  nowMs: Date.now,
})
await directory.load()
const loaded = residentBytes()

function measure(title: string, once: (round: number) => unknown): void {
  for (let warm = 0; warm < LOOKUPS / 10; warm++) once(warm)
  const started = process.cpuUsage()
  for (let round = 0; round < LOOKUPS; round++) once(round)
  const { user, system } = process.cpuUsage(started)
  console.log(`${title.padEnd(62)} ${((user + system) / LOOKUPS).toFixed(2).padStart(8)} µs CPU`)
}

const attempts = createKeyAttempts({ clock: { nowMs: Date.now }, onSlowed: () => undefined })
for (let round = 0; round < 3; round++) {
  measure('one of 1,000 keys in use', (index) => directory.findKeyBySecret(secretOf(index % 1000)))
  measure('any of 100,000 keys', (index) => directory.findKeyBySecret(secretOf((index * 7919) % KEYS)))
  measure('an unknown key, refused', (index) => {
    if (!directory.findKeyBySecret(secretOf(KEYS + index))) attempts.refuse('203.0.113.7')
  })
  measure('the hash alone', (index) => hashKey(secretOf(index)))
}
const used = residentBytes()
console.log(
  `memory: ${((loaded - before) / KEYS).toFixed(0)} bytes a key loaded, ${((used - before) / KEYS).toFixed(0)} used`,
)
