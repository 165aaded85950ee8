/**
 * A binary min-heap that knows where each item is, so that any item can be moved or removed in O(log n).
 *
 * `inOrder` walks items from the smallest up without changing the heap, in O(k log k) for the first k: how one takes
 * "the first that also satisfies …" without popping. Items are compared by `less`; equal items keep no order.
 */
export interface IndexedHeap<T> {
  readonly size: number
  peek(): T | undefined
  has(item: T): boolean
  add(item: T): void
  /** Restores the order after the item's key changed. */
  update(item: T): void
  remove(item: T): void
  inOrder(): Generator<T, void, void>
}

export function createIndexedHeap<T>(less: (a: T, b: T) => boolean): IndexedHeap<T> {
  const items: T[] = []
  const positions = new Map<T, number>()

  function place(item: T, at: number): void {
    items[at] = item
    positions.set(item, at)
  }

  function siftUp(item: T, from: number): void {
    let at = from
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = items[parentAt] as T
      if (!less(item, parent)) break
      place(parent, at)
      at = parentAt
    }
    place(item, at)
  }

  function siftDown(item: T, from: number): void {
    let at = from
    for (;;) {
      let childAt = 2 * at + 1
      if (childAt >= items.length) break
      if (childAt + 1 < items.length && less(items[childAt + 1] as T, items[childAt] as T)) childAt++
      const child = items[childAt] as T
      if (!less(child, item)) break
      place(child, at)
      at = childAt
    }
    place(item, at)
  }

  function settle(item: T, at: number): void {
    const parent = items[(at - 1) >> 1]
    if (at > 0 && parent !== undefined && less(item, parent)) siftUp(item, at)
    else siftDown(item, at)
  }

  return {
    get size() {
      return items.length
    },
    peek: () => items[0],
    has: (item) => positions.has(item),
    add(item) {
      if (positions.has(item)) return
      items.push(item)
      siftUp(item, items.length - 1)
    },
    update(item) {
      const at = positions.get(item)
      if (at !== undefined) settle(item, at)
    },
    remove(item) {
      const at = positions.get(item)
      if (at === undefined) return
      positions.delete(item)
      const last = items.pop() as T
      if (at < items.length) settle(last, at)
    },
    *inOrder() {
      if (items.length === 0) return
      yield items[0] as T
      const frontier = createIndexedHeap<number>((a, b) => less(items[a] as T, items[b] as T))
      let at: number | undefined = 0
      while (at !== undefined) {
        if (2 * at + 1 < items.length) frontier.add(2 * at + 1)
        if (2 * at + 2 < items.length) frontier.add(2 * at + 2)
        at = frontier.peek()
        if (at === undefined) return
        frontier.remove(at)
        yield items[at] as T
      }
    },
  }
}
