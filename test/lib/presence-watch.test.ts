import { expect, test } from 'bun:test'
import { watchPresence } from '../../src/lib/presence-watch.ts'
import { until } from '../support/until.ts'

test('tells once when what is asked goes away, by an error or by silence, and once when it is back (OPS-5)', async () => {
  let answer: () => Promise<unknown> = async () => 1
  const told: string[] = []
  let asked = 0
  const watch = watchPresence({
    ask: () => {
      asked++
      return answer()
    },
    everyMs: 1,
    withinMs: 5,
    onAway: (error) => told.push((error as Error).message),
  })
  watch.onBack(() => told.push('back'))
  await until(() => asked > 2, { what: 'questions' })
  expect([watch.isAway, told]).toEqual([false, []])
  answer = () => Promise.reject(new Error('refused'))
  await until(() => watch.isAway, { what: 'the error to be noticed' })
  answer = async () => 1
  await until(() => !watch.isAway, { what: 'the answer to be noticed' })
  answer = () => new Promise(() => {})
  await until(() => watch.isAway, { what: 'the silence to be noticed' })
  expect(told).toEqual(['refused', 'back', 'an answer took longer than 5 ms'])
  watch.stop()
})
