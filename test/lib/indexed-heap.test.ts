import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { createIndexedHeap } from '../../src/lib/indexed-heap.ts'

test('after any additions, changes and removals the heap gives its items in order', () => {
  const step = fc.record({ what: fc.constantFrom('add', 'change', 'remove'), index: fc.nat(15), key: fc.integer() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const items = Array.from({ length: 16 }, (_, index) => ({ index, key: 0 }))
      const heap = createIndexedHeap<{ index: number; key: number }>((a, b) => a.key < b.key)
      const inside = new Set<{ index: number; key: number }>()
      for (const { what, index, key } of steps) {
        const item = items[index]
        if (!item) continue
        if (what === 'add' && !inside.has(item)) {
          item.key = key
          heap.add(item)
          inside.add(item)
        } else if (what === 'change' && inside.has(item)) {
          item.key = key
          heap.update(item)
        } else if (what === 'remove') {
          heap.remove(item)
          inside.delete(item)
        }
      }
      const expected = [...inside].map((item) => item.key).sort((a, b) => a - b)
      expect([...heap.inOrder()].map((item) => item.key)).toEqual(expected)
      expect(heap.size).toBe(inside.size)
      expect(heap.peek()?.key).toBe(expected[0])
    }),
  )
})
