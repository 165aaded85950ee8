/**
 * The newest details of one key and model (USE-5), packed (core/packed-detail). It begins small and doubles up to its limit.
 *
 * Whoever took a `view` may go on reading it: what would be written over is copied first (copy on write), at most once after each view.
 * Measured: copying 1,000 details 3 µs.
 */
import { DETAIL_WORDS, type Origins, type Packing, packDetail, unpackDetail } from '../core/packed-detail.ts'
import type { Detail } from '../core/stats.ts'

const FIRST_CAPACITY = 4

/** Details as they were when the view was taken. Plain data, because a snapshot takes tens of thousands of them at once. */
export interface DetailView {
  readonly packing: Readonly<Packing>
  /** The oldest one's place. */
  readonly start: number
  readonly count: number
}

export interface DetailRing {
  readonly count: number
  push(detail: Detail): void
  /** Puts these in the place of all that is there; the last ones when there are too many. */
  replace(details: readonly Detail[]): void
  view(): DetailView
}

/** `most`: how many are kept, at least one. */
export function createDetailRing(most: number, origins: Origins): DetailRing {
  let packing: Packing = { words: new Uint32Array(0), wide: new Map(), origins }
  let start = 0
  let count = 0
  let viewed = false

  /** A copy of its own, with room for `capacity` details. */
  function renew(capacity: number): void {
    const words = new Uint32Array(capacity * DETAIL_WORDS)
    words.set(packing.words)
    packing = { words, wide: new Map(packing.wide), origins }
    viewed = false
  }

  function push(detail: Detail): void {
    const capacity = packing.words.length / DETAIL_WORDS
    if (count === capacity && capacity < most) renew(Math.min(most, Math.max(FIRST_CAPACITY, capacity * 2)))
    else if (count === capacity && viewed) renew(capacity)
    const slot = count < most ? count : start
    packDetail(packing, slot * DETAIL_WORDS, detail)
    if (count < most) count++
    else start = start + 1 === most ? 0 : start + 1
  }

  return {
    get count() {
      return count
    },
    push,
    replace(details) {
      const kept = details.slice(Math.max(0, details.length - most))
      packing = { words: new Uint32Array(kept.length * DETAIL_WORDS), wide: new Map(), origins }
      start = count = 0
      viewed = false
      for (const detail of kept) push(detail)
    },
    view() {
      viewed = true
      return { packing, start, count }
    },
  }
}

/** Oldest first. */
export function detailsOf({ packing, start, count }: DetailView): Detail[] {
  return Array.from({ length: count }, (_, index) => {
    const slot = start + index
    return unpackDetail(packing, (slot >= count ? slot - count : slot) * DETAIL_WORDS)
  })
}
