/** A histogram with fixed bounds, as Prometheus counts: how many values were at most each bound. Observing allocates nothing. */
import type { Sample } from './prometheus-text.ts'

export interface Histogram {
  observe(value: number): void
  samples(labels: Readonly<Record<string, string>>): Sample[]
}

/** `bounds` rise; above the last one there is only "more". */
export function createHistogram(bounds: readonly number[]): Histogram {
  const counts = new Float64Array(bounds.length + 1)
  let sum = 0

  return {
    observe(value) {
      let index = 0
      // A dozen bounds: walking is quicker than halving.
      while (index < bounds.length && value > bounds[index]!) index++
      counts[index]!++
      sum += value
    },
    samples(labels) {
      let total = 0
      const buckets = Array.from(counts, (count, index): Sample => {
        total += count
        const le = index < bounds.length ? String(bounds[index]) : '+Inf'
        return { suffix: '_bucket', labels: { ...labels, le }, value: total }
      })
      return [...buckets, { suffix: '_sum', labels, value: sum }, { suffix: '_count', labels, value: total }]
    },
  }
}
