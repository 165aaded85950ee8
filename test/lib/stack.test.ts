import { describe, expect, test } from 'bun:test'
import { createStack, StackStopped } from '../../src/lib/stack.ts'

function recorder() {
  const events: string[] = []
  const part = (name: string) =>
    [name, () => events.push(`start ${name}`), () => void events.push(`stop ${name}`)] as const
  return { events, part }
}

describe('stack', () => {
  test('stops in the reverse order of starting, and hands each stop what its start gave', async () => {
    const { events, part } = recorder()
    const stack = createStack()
    await stack.use(...part('database'))
    const port = await stack.use(
      'server',
      () => 42,
      (started) => void events.push(`stop server ${started}`),
    )
    expect(port).toBe(42)
    expect(await stack.stop()).toEqual([])
    expect(events).toEqual(['start database', 'stop server 42', 'stop database'])
  })

  test('a start that fails stops what already runs, then throws its own error', async () => {
    const { events, part } = recorder()
    const stack = createStack()
    await stack.use(...part('database'))
    const failing = stack.use('server', () => Promise.reject(new Error('port taken')))
    expect(failing).rejects.toThrow('port taken')
    await failing.catch(() => {})
    expect(events).toEqual(['start database', 'stop database'])
  })

  test('a stop that fails or hangs does not keep the others from theirs', async () => {
    const { events, part } = recorder()
    const stack = createStack({ stopTimeoutMs: 5 })
    await stack.use(...part('database'))
    await stack.use(
      'hanging',
      () => {},
      () => new Promise(() => {}),
    )
    await stack.use(
      'throwing',
      () => {},
      () => {
        throw new Error('no')
      },
    )
    const faults = await stack.stop()
    expect(faults.map((fault) => fault.name)).toEqual(['throwing', 'hanging'])
    expect(events).toEqual(['start database', 'stop database'])
  })

  test('everything is stopped once, however often stop is called', async () => {
    const { events, part } = recorder()
    const stack = createStack()
    await stack.use(...part('database'))
    await Promise.all([stack.stop(), stack.stop()])
    await stack.stop()
    expect(events.filter((event) => event === 'stop database')).toHaveLength(1)
  })

  test('what is starting while stop is called is stopped too, and nothing starts afterwards', async () => {
    const { events } = recorder()
    const stack = createStack()
    const gate = Promise.withResolvers<void>()
    const starting = stack.use(
      'slow',
      () => gate.promise,
      () => void events.push('stop slow'),
    )
    const stopping = stack.stop()
    gate.resolve()
    await starting
    await stopping
    expect(events).toEqual(['stop slow'])
    expect(stack.use('late', () => {})).rejects.toThrow(StackStopped)
  })
})
