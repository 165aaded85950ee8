import { describe, expect, test } from 'bun:test'
import { afterSuccess, type CooldownHistory, coolDown, NO_HISTORY } from '../../src/core/cooldown.ts'
import type { Failure, FailureCause, ToldLimit } from '../../src/core/failure.ts'

const failure = (cause: FailureCause, told: ToldLimit | null = null): Failure => ({
  cause,
  status: null,
  error: null,
  told,
})

/** Fails again and again at the given times; gives what was decided each time. */
function fail(cause: FailureCause, times: number[], history: CooldownHistory = NO_HISTORY) {
  const decided = times.map((nowMs) => {
    const result = coolDown(history, failure(cause), nowMs)
    history = result.history
    const { cooldown } = result
    return cooldown.kind === 'until' ? cooldown.untilMs - nowMs : cooldown.kind
  })
  return { decided, history }
}

describe('how long a failing account stays out', () => {
  test('a 429 with a reset waits for exactly that, with its source and family (ACC-6)', () => {
    const told = { untilMs: 7000, source: 'retry-after', family: 'opus' }
    const { cooldown } = coolDown(NO_HISTORY, failure('rate_limited', told), 1000)
    expect(cooldown).toEqual({ kind: 'until', cause: 'rate_limited', ...told })
  })
  test('a 429 without one doubles from 5 s to 5 min (ACC-6)', () => {
    const { decided } = fail('rate_limited', Array(9).fill(0))
    expect(decided).toEqual([5000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000])
  })
  test('a limit of which only the scope was said backs off for that model family, each for itself (ACC-6)', () => {
    const told = (family: string): ToldLimit => ({ untilMs: null, source: 'x', family })
    let history = NO_HISTORY
    const limited = (family: string) => {
      const result = coolDown(history, failure('rate_limited', told(family)), 0)
      history = result.history
      return result.cooldown
    }
    const until = (untilMs: number, family: string) =>
      ({ kind: 'until', cause: 'rate_limited', source: 'backoff', untilMs, family }) as const
    expect([limited('opus'), limited('opus'), limited('haiku')]).toEqual([
      until(5000, 'opus'),
      until(10_000, 'opus'),
      until(5000, 'haiku'),
    ])
    // What works for one says nothing about the other.
    history = afterSuccess(history, 'haiku')
    expect([limited('opus'), limited('haiku')]).toEqual([until(20_000, 'opus'), until(5000, 'haiku')])
  })
  test('an overload grows from 1 to 10 minutes (ACC-6)', () => {
    expect(fail('overloaded', [0, 0, 0, 0, 0]).decided).toEqual([60_000, 120_000, 240_000, 480_000, 600_000])
  })
  test('403 waits 10 minutes, the third in a row is an error (ACC-6)', () => {
    expect(fail('forbidden', [0, 0, 0]).decided).toEqual([600_000, 600_000, 'error'])
  })
  test('a success in between starts the count of 403s anew (ACC-6)', () => {
    const { history } = fail('forbidden', [0, 0])
    expect(fail('forbidden', [0], afterSuccess(history, 'm')).decided).toEqual([600_000])
  })
  test('401 is an error at once (ACC-6)', () => {
    expect(fail('unauthorized', [0]).decided).toEqual(['error'])
  })
  test('a token refresh that is tried again by itself keeps an account out until then, not for good (ACC-10)', () => {
    const told = { untilMs: 9000, source: 'token refresh', family: null }
    const { cooldown } = coolDown(NO_HISTORY, failure('credential_error', told), 1000)
    expect(cooldown).toEqual({ kind: 'until', cause: 'cooling_down', ...told })
    expect(fail('credential_error', [0]).decided).toEqual(['error'])
  })
  test('the circuit opens at the fifth fault within 30 s, not for older ones (ACC-6)', () => {
    expect(fail('server_error', [0, 1000, 2000, 3000, 4000]).decided).toEqual(['none', 'none', 'none', 'none', 30_000])
    expect(fail('connect_error', [0, 10_000, 20_000, 30_000, 40_000]).decided).toEqual(Array(5).fill('none'))
  })
  test('after it opened one failed probe opens it again; a success closes it (ACC-6)', () => {
    const { history } = fail('server_error', [0, 0, 0, 0, 0])
    expect(history.probing).toBe(true)
    expect(fail('server_error', [31_000], history).decided).toEqual([30_000])
    expect(fail('server_error', [31_000], afterSuccess(history, 'm')).decided).toEqual(['none'])
  })
  test('the client’s own faults cost an account nothing (ACC-5)', () => {
    expect(fail('client_error', [0]).decided).toEqual(['none'])
    expect(fail('masked_status', [0]).decided).toEqual(['none'])
    expect(fail('client_left', [0]).decided).toEqual(['none'])
  })
})
