/** At most so many at a time; the others wait their turn, first come first served. */
export interface Semaphore {
  run<T>(work: () => Promise<T>): Promise<T>
}

export function createSemaphore(most: number): Semaphore {
  const waiting: (() => void)[] = []
  let free = most
  return {
    async run(work) {
      if (free > 0) free--
      else await new Promise<void>((resolve) => waiting.push(resolve))
      try {
        return await work()
      } finally {
        // The place goes to the next one directly: nobody who comes now can take it.
        const next = waiting.shift()
        if (next) next()
        else free++
      }
    },
  }
}
