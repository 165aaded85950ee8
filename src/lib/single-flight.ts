/** Many callers, one piece of work: whoever asks for a key while its work is under way gets the same promise, be it kept or broken. */
export interface SingleFlight<T> {
  run(key: string, work: () => Promise<T>): Promise<T>
  readonly size: number
}

export function createSingleFlight<T>(): SingleFlight<T> {
  const underWay = new Map<string, Promise<T>>()
  return {
    run(key, work) {
      const before = underWay.get(key)
      if (before) return before
      const promise = work().finally(() => underWay.delete(key))
      underWay.set(key, promise)
      return promise
    },
    get size() {
      return underWay.size
    },
  }
}
