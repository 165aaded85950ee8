/** One run at a time for each key: whoever asks while it runs gets the same promise. */
export interface SingleFlight<T> {
  run(key: string, work: () => Promise<T>): Promise<T>
  readonly size: number
}

export function createSingleFlight<T>(): SingleFlight<T> {
  const running = new Map<string, Promise<T>>()
  return {
    run(key, work) {
      const known = running.get(key)
      if (known) return known
      const flight = (async () => work())().finally(() => running.delete(key))
      running.set(key, flight)
      return flight
    },
    get size() {
      return running.size
    },
  }
}
