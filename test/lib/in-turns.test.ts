import { describe, expect, test } from 'bun:test'
import { inTurns } from '../../src/lib/in-turns.ts'

describe('a long text in turns', () => {
  test('is the text, in chunks of a bounded size', async () => {
    function* pieces() {
      for (let made = 0; made < 5000; made++) yield `piece ${made} é\n`
    }
    const chunks: string[] = []
    for await (const chunk of inTurns(pieces())) chunks.push(chunk)
    expect(chunks.join('')).toBe([...pieces()].join(''))
    expect(Math.max(...chunks.map((chunk) => chunk.length))).toBeLessThan(200_000)
  })

  test('lets others have a turn between chunks, however eager its reader is', async () => {
    let turns = 0
    let last = -1
    const timer = setInterval(() => turns++, 0)
    const seen: number[] = []
    function* slow() {
      for (let made = 0; made < 10; made++) {
        const until = performance.now() + 8
        while (performance.now() < until);
        yield 'x'
      }
    }
    for await (const _ of inTurns(slow())) {
      seen.push(turns - last)
      last = turns
    }
    clearInterval(timer)
    expect(seen).toHaveLength(10)
    expect(turns).toBeGreaterThanOrEqual(5)
  })

  test('makes nothing before it is read, waits for its reader, and ends when the reader leaves', async () => {
    let made = 0
    let ended = false
    function* pieces() {
      try {
        for (;;) {
          made++
          yield 'x'.repeat(200_000)
        }
      } finally {
        ended = true
      }
    }
    const reader = inTurns(pieces())
    await new Promise(setImmediate)
    expect(made).toBe(0)
    await reader.next()
    await new Promise(setImmediate)
    expect(made).toBe(1)
    await reader.return()
    expect(ended).toBe(true)
  })

  test('fails with what its maker throws', async () => {
    function* pieces(): Generator<string> {
      yield 'x'
      throw new Error('it broke')
    }
    const read = async () => {
      for await (const _ of inTurns(pieces()));
    }
    await expect(read()).rejects.toThrow('it broke')
  })
})
