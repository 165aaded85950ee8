import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { createLru } from '../../src/lib/lru.ts'

/** The same, so plainly that it must be right. */
function createSlowLru(most: number) {
  let entries: [string, number][] = []
  const find = (key: string) => entries.find(([known]) => known === key)
  const without = (key: string) => entries.filter(([known]) => known !== key)
  return {
    get(key: string) {
      const found = find(key)
      if (found) entries = [...without(key), found]
      return found?.[1]
    },
    peek: (key: string) => find(key)?.[1],
    set(key: string, value: number) {
      entries = [...without(key), [key, value] as [string, number]].slice(-most)
    },
    delete(key: string) {
      entries = without(key)
    },
    clear() {
      entries = []
    },
    get size() {
      return entries.length
    },
  }
}

test('what was used longest ago goes first, whatever is done in whatever order', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.tuple(fc.constant('set' as const), key, fc.nat(9)) },
    { weight: 4, arbitrary: fc.tuple(fc.constant('get' as const), key, fc.constant(0)) },
    { weight: 2, arbitrary: fc.tuple(fc.constant('peek' as const), key, fc.constant(0)) },
    { weight: 2, arbitrary: fc.tuple(fc.constant('delete' as const), key, fc.constant(0)) },
    { weight: 1, arbitrary: fc.tuple(fc.constant('clear' as const), key, fc.constant(0)) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, most) => {
      const [fast, slow] = [createLru<string, number>(most), createSlowLru(most)]
      for (const [verb, name, value] of steps) {
        if (verb === 'get' || verb === 'peek') expect(fast[verb](name)).toBe(slow[verb](name))
        else if (verb === 'set') [fast, slow].forEach((lru) => void lru.set(name, value))
        else if (verb === 'delete') [fast, slow].forEach((lru) => void lru.delete(name))
        else [fast, slow].forEach((lru) => void lru.clear())
        expect(fast.size).toBe(slow.size)
      }
      for (const name of 'abcdef') expect(fast.peek(name)).toBe(slow.peek(name))
    }),
  )
})
