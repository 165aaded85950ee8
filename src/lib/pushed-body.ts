/**
 * Between a source that pushes chunks and one consumer that may say "wait": chunks go straight through while the consumer keeps up, without
 * a promise or a copy; else the source is paused and what still comes is held (a read or two). Pure but for the promise it ends in.
 *
 * What was received before the source broke is delivered before `pipe` rejects; after `abort` nothing is.
 */
export type OnChunk = (chunk: Uint8Array) => Promise<unknown> | undefined
/** Hands every chunk to `onChunk` and resolves at a clean end. A promise it returns is awaited before the next chunk. */
export type Pipe = (onChunk: OnChunk) => Promise<void>

export interface PushedSource {
  pause(): void
  resume(): void
  /** The consumer threw: no more is wanted. */
  hangUp(): void
}

export class PushedBody {
  private consumer: OnChunk | null = null
  private done: PromiseWithResolvers<void> | null = null
  private held: Uint8Array[] | null = null
  private waiting = false
  /** How the source ended; told once all that was held is delivered. */
  private outcome: { error: unknown } | 'end' | null = null
  private over = false

  constructor(private readonly source: PushedSource) {}

  push(chunk: Uint8Array): void {
    if (this.over) return
    if (this.consumer !== null && !this.waiting) {
      this.deliver(chunk)
      return
    }
    this.held ??= []
    this.held.push(chunk)
    // The first one comes with the head, before anybody can have asked for it; asking takes no longer than a microtask or two.
    if (this.held.length > 1) this.source.pause()
  }

  end(): void {
    this.finish('end')
  }

  fail(error: unknown): void {
    this.finish({ error })
  }

  abort(error: unknown): void {
    if (this.over) return
    this.outcome = { error }
    this.settle(this.outcome)
  }

  pipe(onChunk: OnChunk): Promise<void> {
    if (this.done !== null) return Promise.reject(new Error('a body can be read once'))
    this.done = Promise.withResolvers<void>()
    if (this.over) this.settle(this.outcome ?? 'end')
    else {
      this.consumer = onChunk
      this.proceed()
    }
    return this.done.promise
  }

  private deliver(chunk: Uint8Array): void {
    try {
      const wait = (this.consumer as OnChunk)(chunk)
      if (wait) this.waitFor(wait)
    } catch (error) {
      this.giveUp(error)
    }
  }

  private waitFor(consumed: Promise<unknown>): void {
    this.waiting = true
    this.source.pause()
    consumed.then(
      () => this.proceed(),
      (error) => this.giveUp(error),
    )
  }

  private giveUp(error: unknown): void {
    if (this.over) return
    this.source.hangUp()
    this.abort(error)
  }

  private proceed(): void {
    this.waiting = false
    const { held } = this
    while (held !== null && held.length > 0 && !this.waiting && !this.over) this.deliver(held.shift() as Uint8Array)
    if (this.waiting || this.over) return
    if (this.outcome === null) this.source.resume()
    else this.settle(this.outcome)
  }

  private finish(how: { error: unknown } | 'end'): void {
    if (this.over || this.outcome !== null) return
    this.outcome = how
    if (this.consumer !== null && !this.waiting) this.settle(how)
  }

  private settle(how: { error: unknown } | 'end'): void {
    this.over = true
    this.held = null
    this.consumer = null
    if (how === 'end') this.done?.resolve()
    else this.done?.reject(how.error)
  }
}
