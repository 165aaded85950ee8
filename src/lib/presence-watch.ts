/**
 * Knows whether something that is asked every so often answers, and tells when that changes. One question at a time; an answer that is late
 * counts as none.
 *
 * If it fails: that is what it is for; `ask` may reject or hang.
 */
export interface PresenceWatch {
  readonly isAway: boolean
  stop(): void
}

export interface PresenceWatchOptions {
  ask(): Promise<unknown>
  everyMs: number
  /** Later than this is no answer. */
  withinMs: number
  onAway(error: unknown): void
  /** It answers again. */
  onBack(): void
}

export function watchPresence(options: PresenceWatchOptions): PresenceWatch {
  let isAway = false
  let stopped = false
  let asking = false

  async function look(): Promise<void> {
    if (asking) return
    asking = true
    const error = await answer(options)
    asking = false
    if (stopped || (error !== null) === isAway) return
    isAway = error !== null
    if (isAway) options.onAway(error)
    else options.onBack()
  }

  const timer = setInterval(() => void look(), options.everyMs)
  timer.unref()
  return {
    get isAway() {
      return isAway
    },
    stop() {
      stopped = true
      clearInterval(timer)
    },
  }
}

/** Null: it answered. */
async function answer({ ask, withinMs }: PresenceWatchOptions): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<unknown>()
  const timer = setTimeout(() => resolve(new Error(`no answer within ${withinMs} ms`)), withinMs)
  const asked = ask().then(
    () => null,
    (error: unknown) => error,
  )
  const error = await Promise.race([asked, promise])
  clearTimeout(timer)
  return error
}
