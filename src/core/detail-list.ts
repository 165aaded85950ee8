/** Details of many keys and models, as an import holds them before anything is stored: packed, in blocks, so that nothing is copied as it grows. */
import { createOrigins, DETAIL_WORDS, type Packing, packDetail, unpackDetail } from './packed-detail.ts'
import type { Detail } from './stats.ts'

export interface DetailList {
  readonly count: number
  /** `series`: a number that the caller gives to a key and model. */
  add(series: number, detail: Detail): void
  seriesAt(index: number): number
  at(index: number): Detail
}

const BLOCK = 65_536

export function createDetailList(): DetailList {
  const origins = createOrigins()
  const blocks: { packing: Packing; series: Uint32Array }[] = []
  let count = 0
  const blockOf = (index: number) => blocks[Math.floor(index / BLOCK)] as (typeof blocks)[number]
  return {
    get count() {
      return count
    },
    add(series, detail) {
      if (count === blocks.length * BLOCK) {
        const packing = { words: new Uint32Array(BLOCK * DETAIL_WORDS), wide: new Map(), origins }
        blocks.push({ packing, series: new Uint32Array(BLOCK) })
      }
      const block = blockOf(count)
      const slot = count % BLOCK
      packDetail(block.packing, slot * DETAIL_WORDS, detail)
      block.series[slot] = series
      count++
    },
    seriesAt: (index) => blockOf(index).series[index % BLOCK] as number,
    at: (index) => unpackDetail(blockOf(index).packing, (index % BLOCK) * DETAIL_WORDS),
  }
}
