import { expect, test } from 'bun:test'
import type { Account } from '../../src/core/entities.ts'
import { createWatchdog } from '../../src/lib/watchdog.ts'
import type { Exchange } from '../../src/relay/exchange.ts'
import type { RelaySettings } from '../../src/relay/settings.ts'
import { startTimedCall } from '../../src/relay/timed-call.ts'
import { ConnectTimeout, type UpstreamAnswer, type UpstreamRequest } from '../../src/relay/upstream.ts'

const settings = { connectTimeoutMs: 10_000, firstByteTimeoutMs: 600_000, requestTimeoutMs: 0 } as RelaySettings
// Port 1 of this machine: an address that a probe finds nobody at.
const request: UpstreamRequest = { url: 'http://127.0.0.1:1/', method: 'POST', headers: {}, body: null, proxyUrl: null }

const rejectionOf = (promise: Promise<unknown>) => promise.then(() => null).catch((error: unknown) => error)

function start(limitsConnect: boolean) {
  const clock = { nowMs: 0 }
  const watchdog = createWatchdog({ nowMs: () => clock.nowMs, sweepEveryMs: 0 })
  const answer = Promise.withResolvers<UpstreamAnswer>()
  const aborted = Promise.withResolvers<string>()
  const upstream = { send: () => ({ answer: answer.promise, limitsConnect, abort: aborted.resolve }) }
  const exchange = { startedAt: performance.now() } as Exchange
  const call = startTimedCall({ settings, upstream, watchdog }, exchange, {} as Account, request)
  const pass = (ms: number) => {
    clock.nowMs += ms
    watchdog.sweep()
  }
  return { call, answer, aborted: aborted.promise, pass }
}

test('a transport that limits connecting itself: its time-out is a connect_timeout, and nobody probes (REL-15)', async () => {
  const { call, answer, aborted, pass } = start(true)
  pass(5_000)
  answer.reject(new ConnectTimeout())
  expect(call.endedBy(await rejectionOf(call.answer))).toMatchObject({ cause: 'connect_timeout', status: null })
  expect(await Promise.race([aborted, Promise.resolve('not aborted')])).toBe('not aborted')
})

test('any other error of the transport is a connect_error', async () => {
  const { call, answer } = start(true)
  answer.reject(new Error('refused'))
  expect(call.endedBy(await rejectionOf(call.answer))).toMatchObject({ cause: 'connect_error' })
})

test('a transport that does not: after half the time its address is probed, and given up when nobody is there (REL-15)', async () => {
  const { aborted, pass } = start(false)
  pass(5_000)
  expect(await aborted).toBe('connect')
})
