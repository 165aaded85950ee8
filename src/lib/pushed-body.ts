/**
 * Between a source that pushes chunks and one consumer that may say "wait": chunks go straight through while the consumer keeps up, without
 * a promise or a copy; else the source is paused and what still comes is held (a read or two). Pure but for the promise it ends in.
 *
 * What was received before the source broke is delivered before `pipe` rejects; after `abort` nothing is.
 */
export type OnChunk = (chunk: Uint8Array) => Promise<unknown> | undefined
/** Hands every chunk to `onChunk` and resolves at a clean end. A promise it returns is awaited before the next chunk. */
export type Pipe = (onChunk: OnChunk) => Promise<void>

export interface PushedBody {
  push(chunk: Uint8Array): void
  end(): void
  fail(error: unknown): void
  abort(error: unknown): void
  pipe: Pipe
}

export interface PushedSource {
  pause(): void
  resume(): void
  /** The consumer threw: no more is wanted. */
  abort(): void
}

export function createPushedBody(source: PushedSource): PushedBody {
  let consumer: OnChunk | null = null
  let settled: { resolve(): void; reject(error: unknown): void } | null = null
  let held: Uint8Array[] = []
  let waiting = false
  /** How the source ended; told once all that was held is delivered. */
  let outcome: { error: unknown } | 'end' | null = null
  let over = false

  function push(chunk: Uint8Array): void {
    if (over) return
    if (consumer !== null && !waiting) {
      deliver(chunk)
      return
    }
    held.push(chunk)
    // The first one comes with the head, before anybody can have asked for it; asking takes no longer than a microtask or two.
    if (held.length > 1) source.pause()
  }

  function deliver(chunk: Uint8Array): void {
    try {
      const wait = (consumer as OnChunk)(chunk)
      if (!wait) return
      waiting = true
      source.pause()
      wait.then(proceed, giveUp)
    } catch (error) {
      giveUp(error)
    }
  }

  function giveUp(error: unknown): void {
    if (over) return
    source.abort()
    abort(error)
  }

  function proceed(): void {
    waiting = false
    while (held.length > 0 && !waiting && !over) deliver(held.shift() as Uint8Array)
    if (waiting || over) return
    if (outcome === null) source.resume()
    else settle(outcome)
  }

  function settle(how: { error: unknown } | 'end'): void {
    over = true
    held = []
    consumer = null
    if (how === 'end') settled?.resolve()
    else settled?.reject(how.error)
  }

  function finish(how: { error: unknown } | 'end'): void {
    if (over || outcome !== null) return
    outcome = how
    if (consumer !== null && !waiting) settle(how)
  }

  function abort(error: unknown): void {
    if (over) return
    outcome = { error }
    settle(outcome)
  }

  return {
    push,
    end: () => finish('end'),
    fail: (error) => finish({ error }),
    abort,
    pipe(onChunk) {
      if (settled !== null) return Promise.reject(new Error('a body can be read once'))
      const done = Promise.withResolvers<void>()
      settled = done
      if (over) settle(outcome ?? 'end')
      else {
        consumer = onChunk
        proceed()
      }
      return done.promise
    },
  }
}
