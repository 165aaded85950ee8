import { expect, test } from 'bun:test'
import { limitCommandTime } from '../../src/state/redis-patience.ts'

/** A client whose commands the test answers, and whose time the test makes. */
function setUp() {
  const time = { nowMs: 5000 }
  const ticks = new Set<() => void>()
  const sent: string[] = []
  const client = { sendCommand: (command: { name: string }) => sent.push(command.name) }
  limitCommandTime(client as never, {
    limitMs: 300,
    nowMs: () => time.nowMs,
    every: (_ms, tick) => {
      ticks.add(tick)
      return { stop: () => ticks.delete(tick) }
    },
  })
  const send = (name: string) => {
    const command = {
      name,
      isSettled: false,
      error: '',
      reject(error: Error) {
        command.isSettled = true
        command.error = error.message
      },
    }
    client.sendCommand(command)
    return command
  }
  const tickAfter = (ms: number) => {
    time.nowMs += ms
    for (const tick of ticks) tick()
  }
  return { send, sent, tickAfter, ticks }
}

test('a Redis that does not answer is given up after the limit, and not before (OPS-5)', () => {
  const { send, sent, tickAfter } = setUp()
  const command = send('evalsha')
  expect(sent).toEqual(['evalsha'])
  for (let tick = 0; tick < 5; tick++) tickAfter(50)
  expect(command.isSettled).toBe(false)
  tickAfter(50)
  expect(command.error).toBe('Command timed out')
})

test('a stall of this process is not held against Redis: the answers are read first (OPS-4)', () => {
  const { send, tickAfter } = setUp()
  const [answered, silent] = [send('a'), send('b')]
  tickAfter(10_000)
  expect([answered.isSettled, silent.isSettled]).toEqual([false, false])
  answered.isSettled = true
  for (let tick = 0; tick < 4; tick++) tickAfter(50)
  expect([answered.error, silent.error]).toEqual(['', 'Command timed out'])
})

test('each command has its own time; while none is under way no timer runs', () => {
  const { send, tickAfter, ticks } = setUp()
  expect(ticks.size).toBe(0)
  const early = send('a')
  for (let tick = 0; tick < 4; tick++) tickAfter(50)
  const late = send('b')
  tickAfter(50)
  tickAfter(50)
  expect([early.isSettled, late.isSettled]).toEqual([true, false])
  late.isSettled = true
  tickAfter(50)
  expect(ticks.size).toBe(0)
  const third = send('c')
  tickAfter(50)
  expect(third.isSettled).toBe(false)
})
