/** The directory under changes that overtake one another: what was read last is what holds (KEY-3). */
import { expect, test } from 'bun:test'
import { createDirectory, type DirectoryKey, type DirectoryLoader } from '../../src/state/directory.ts'
import { makeKey } from '../support/make.ts'

const nothing = { users: [], groups: [], accounts: [], subscriptions: [] }
const entry = (name: string): DirectoryKey => ({ key: makeKey({ name }), hash: 'hash of key-1', previous: null })

/** Each reading waits until the test answers it. */
function createSlowDirectory() {
  const readings: ((found: DirectoryKey | null) => void)[] = []
  const loads: ((keys: DirectoryKey[]) => void)[] = []
  const absent = async () => null
  const loader: DirectoryLoader = {
    loadAll: () => new Promise((resolve) => loads.push((keys) => resolve({ ...nothing, keys }))),
    loadKey: () => new Promise((resolve) => readings.push(resolve)),
    loadUser: absent,
    loadGroup: absent,
    loadAccount: absent,
    loadSubscription: absent,
  }
  const hashKey = (secret: string) => `hash of ${secret}`
  const directory = createDirectory({ loader, hashKey, poolsOf: () => [], nowMs: () => 0 })
  const name = () => directory.findKeyBySecret('key-1')?.key.name ?? null
  return { directory, readings, loads, name }
}

test('of two readings of one key the one that began later holds, whichever comes back first (KEY-3)', async () => {
  const { directory, readings, name } = createSlowDirectory()
  const [first, second] = [directory.reload('key', 'key-1'), directory.reload('key', 'key-1')]
  readings[1]?.(entry('new'))
  await second
  expect(name()).toBe('new')
  readings[0]?.(entry('old'))
  await first
  expect(name()).toBe('new')

  const third = directory.reload('key', 'key-1')
  readings[2]?.(null)
  await third
  expect(name()).toBeNull()
})

test('who made a change sees it as soon as its own reading is back, also while a later one is under way (KEY-3)', async () => {
  const { directory, readings, name } = createSlowDirectory()
  const own = directory.reload('key', 'key-1')
  void directory.reload('key', 'key-1')
  readings[0]?.(entry('mine'))
  await own
  expect(name()).toBe('mine')
})

test('a change that is heard of while everything is read is not lost to the older whole (KEY-3)', async () => {
  const { directory, readings, loads, name } = createSlowDirectory()
  const load = directory.load()
  const change = directory.reload('key', 'key-1')
  readings[0]?.(entry('new'))
  await change
  loads[0]?.([entry('old')])
  // It is read once more behind the whole.
  while (readings.length < 2) await Promise.resolve()
  readings[1]?.(entry('new'))
  await load
  expect(name()).toBe('new')
})
