/**
 * A value that is there at once, or after a round trip. `await` takes both, but always costs a turn of the event loop: `andThen` goes on at
 * once where it can, so that what is usually in memory stays as fast as memory.
 */
export type Later<T> = T | Promise<T>

export function andThen<T, U>(value: Later<T>, next: (value: T) => Later<U>): Later<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}

/**
 * The same for steps that every request takes: what `next` needs is given to it, as a closure (and the scope that it captures) would be made
 * for each request also where nothing is waited for.
 */
export function andThenWith<C, T, U>(value: Later<T>, context: C, next: (context: C, value: T) => Later<U>): Later<U> {
  return value instanceof Promise ? whenThere(value, context, next) : next(context, value)
}

function whenThere<C, T, U>(value: Promise<T>, context: C, next: (context: C, value: T) => Later<U>): Promise<U> {
  return value.then((there) => next(context, there))
}
