/**
 * A value that is there at once, or after a round trip. `await` takes both, but always costs a turn of the event loop: `andThen` goes on at
 * once where it can, so that what is usually in memory stays as fast as memory.
 */
export type Later<T> = T | Promise<T>

export function andThen<T, U>(value: Later<T>, next: (value: T) => Later<U>): Later<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}
