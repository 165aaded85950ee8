/** A bar on a terminal's last line, for commands that take a while; nothing at all in a pipe or a log. */
import type { Terminal } from './command.ts'

export interface ProgressBar {
  /** `of`: null when nobody knows how much there is. */
  show(what: string, done: number, of: number | null): void
  clear(): void
}

const WIDTH = 30
/** Often enough to be seen moving. */
const EVERY_MS = 100

export function createProgressBar({ draw }: Pick<Terminal, 'draw'>): ProgressBar {
  let shownAt = Number.NEGATIVE_INFINITY
  let shown = false
  return {
    show(what, done, of) {
      const now = performance.now()
      if (!draw || (now - shownAt < EVERY_MS && done !== of)) return
      shownAt = now
      shown = true
      draw(`\r${lineOf(what, done, of)}\x1b[K`)
    },
    clear() {
      if (shown) draw?.('\r\x1b[K')
      shown = false
    },
  }
}

function lineOf(what: string, done: number, of: number | null): string {
  const count = done.toLocaleString('en')
  if (of === null || of === 0) return `${what} ${count}`
  const part = Math.min(1, done / of)
  const full = Math.round(part * WIDTH)
  return `${what} [${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] ${Math.floor(part * 100)} % ${count}`
}
