/**
 * What is counted for each key and model. Clients choose model names, so the table is bounded: beyond `most` entries a key's further models are
 * counted together as OTHER_MODELS, and every sum stays whole.
 */
import { modelNameOf } from '../core/stats.ts'
import { getOrAdd } from '../lib/get-or-add.ts'
import type { DetailRing } from './detail-ring.ts'
import { newSum, type Sum } from './stat-sums.ts'

export const OTHER_MODELS = '(other models)'

export interface Series {
  sum: Sum
  /** Null until there is a detail. */
  ring: DetailRing | null
}

export interface SeriesTable {
  /** `model` as a client wrote it. */
  of(key: string, model: string): Series
  byKey: ReadonlyMap<string, ReadonlyMap<string, Series>>
}

const newModels = () => new Map<string, Series>()

export function createSeriesTable(most: number): SeriesTable {
  const keys = new Map<string, Map<string, Series>>()
  let count = 0

  function add(models: Map<string, Series>, model: string): Series {
    const found = models.get(model)
    if (found !== undefined) return found
    return getOrAdd(models, count < most ? model : OTHER_MODELS, () => {
      count++
      return { sum: newSum(), ring: null }
    })
  }

  return {
    byKey: keys,
    of(key, model) {
      const models = getOrAdd(keys, key, newModels)
      // Most names are stored as they are: the second look is for the others, and for new ones.
      return models.get(model) ?? add(models, modelNameOf(model))
    },
  }
}
