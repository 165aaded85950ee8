/**
 * Knows whether something that is asked every so often answers, and tells when that changes. One question at a time; an answer that is late
 * counts as none.
 *
 * If it fails: that is what it is for; `ask` may reject or hang.
 */
import { within } from './within.ts'

export interface PresenceWatch {
  readonly isAway: boolean
  /** Called each time it answers again. */
  onBack(listener: () => void): void
  stop(): void
}

export interface PresenceWatchOptions {
  ask(): Promise<unknown>
  everyMs: number
  /** Later than this is no answer. */
  withinMs: number
  onAway(error: unknown): void
}

export function watchPresence(options: PresenceWatchOptions): PresenceWatch {
  const listeners: (() => void)[] = []
  let isAway = false
  let stopped = false
  let asking = false

  async function look(): Promise<void> {
    if (asking) return
    asking = true
    const error = await within(options.withinMs, options.ask(), 'an answer').then(
      () => null,
      (reason: unknown) => reason,
    )
    asking = false
    if (stopped || (error !== null) === isAway) return
    isAway = error !== null
    if (isAway) options.onAway(error)
    else for (const listener of listeners) listener()
  }

  const timer = setInterval(() => void look(), options.everyMs)
  timer.unref()
  return {
    get isAway() {
      return isAway
    },
    onBack: (listener) => void listeners.push(listener),
    stop() {
      stopped = true
      clearInterval(timer)
    },
  }
}
