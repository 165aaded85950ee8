import { describe, expect, test } from 'bun:test'
import { PushedBody } from '../../src/lib/pushed-body.ts'

const chunk = (text: string) => Buffer.from(text)

function setUp() {
  const calls: string[] = []
  const body = new PushedBody({
    pause: () => void calls.push('pause'),
    resume: () => void calls.push('resume'),
    hangUp: () => void calls.push('hang up'),
  })
  /** What has been asked of the source since last asked. */
  return { body, asked: () => calls.splice(0).filter((call, index, all) => call !== all[index - 1]) }
}

describe('chunks reach the consumer', () => {
  test('at once while it keeps up; the source is left alone (REL-7)', async () => {
    const { body, asked } = setUp()
    const seen: string[] = []
    const done = body.pipe((bytes) => void seen.push(String(bytes)))
    asked()
    body.push(chunk('a'))
    expect(seen).toEqual(['a'])
    body.push(chunk('b'))
    body.end()
    await done
    expect(seen).toEqual(['a', 'b'])
    expect(asked()).toEqual([])
  })

  test('also what came before it asked; from the second chunk on the source waits', async () => {
    const { body, asked } = setUp()
    body.push(chunk('a'))
    expect(asked()).toEqual([])
    body.push(chunk('b'))
    expect(asked()).toEqual(['pause'])
    body.end()
    const seen: string[] = []
    await body.pipe((bytes) => void seen.push(String(bytes)))
    expect(seen).toEqual(['a', 'b'])
  })
})

describe('backpressure (REL-7)', () => {
  test('a promise pauses the source until it resolves, in order, the end included', async () => {
    const { body, asked } = setUp()
    const seen: string[] = []
    const gates: (() => void)[] = []
    let ended = false
    const done = body
      .pipe((bytes) => {
        seen.push(String(bytes))
        return new Promise<void>((resolve) => gates.push(resolve))
      })
      .then(() => {
        ended = true
      })
    asked()
    for (const text of ['a', 'b', 'c']) body.push(chunk(text))
    expect([seen, asked()]).toEqual([['a'], ['pause']])
    body.end()
    for (const expected of [
      ['a', 'b'],
      ['a', 'b', 'c'],
    ]) {
      gates.shift()?.()
      await Promise.resolve()
      expect(seen).toEqual(expected)
      expect(ended).toBe(false)
    }
    gates.shift()?.()
    await done
    expect(ended).toBe(true)
  })

  test('the source goes on once the consumer has caught up', async () => {
    const { body, asked } = setUp()
    const gate = Promise.withResolvers<void>()
    void body.pipe(() => gate.promise)
    asked()
    body.push(chunk('a'))
    expect(asked()).toEqual(['pause'])
    gate.resolve()
    await gate.promise
    await Promise.resolve()
    expect(asked()).toEqual(['resume'])
  })
})

describe('an end that is none', () => {
  test('what came before a break is delivered, then the pipe rejects', async () => {
    const { body } = setUp()
    body.push(chunk('a'))
    body.fail(new Error('cut'))
    const seen: string[] = []
    await expect(body.pipe((bytes) => void seen.push(String(bytes)))).rejects.toThrow('cut')
    expect(seen).toEqual(['a'])
  })

  test('an abort rejects at once, even while the consumer makes it wait, and nothing comes after', async () => {
    const { body } = setUp()
    const seen: string[] = []
    const done = body.pipe((bytes) => {
      seen.push(String(bytes))
      return new Promise(() => undefined)
    })
    body.push(chunk('a'))
    body.push(chunk('b'))
    body.abort(new Error('client left'))
    body.push(chunk('c'))
    body.end()
    await expect(done).rejects.toThrow('client left')
    expect(seen).toEqual(['a'])
  })

  test('an abort before anybody asked rejects whoever asks later', async () => {
    const { body } = setUp()
    body.abort(new Error('no'))
    await expect(body.pipe(() => undefined)).rejects.toThrow('no')
  })

  test('a consumer that throws or rejects aborts the source and the pipe', async () => {
    for (const consumer of [
      () => {
        throw new Error('consumer')
      },
      () => Promise.reject(new Error('consumer')),
    ]) {
      const { body, asked } = setUp()
      const done = body.pipe(consumer)
      asked()
      body.push(chunk('a'))
      await expect(done).rejects.toThrow('consumer')
      expect(asked()).toContain('hang up')
    }
  })

  test('a body is read once', async () => {
    const { body } = setUp()
    void body.pipe(() => undefined)
    await expect(body.pipe(() => undefined)).rejects.toThrow('once')
  })
})
