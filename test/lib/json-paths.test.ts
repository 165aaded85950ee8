import { describe, expect, test } from 'bun:test'
import { compileJsonPaths } from '../../src/lib/json-paths.ts'
import { createJsonScanner } from '../../src/lib/json-scan.ts'

const BODY = '{"list":[{"x":1},{"x":2},{"x":3}],"deep":{"list":[{"x":4}]}}'

describe('paths', () => {
  for (const [path, values] of [
    ['list[].x', ['1', '2', '3']],
    ['list[1].x', ['2']],
    ['list[<2].x', ['1', '2']],
    ['list[<0].x', []],
    ['list[5].x', []],
    ['list[2]', ['{"x":3}']],
    ['deep.list[].x', ['4']],
    ['list.x', []],
    ['deep[].list', []],
  ] as const) {
    test(`${path} leads to ${values.length === 0 ? 'nothing' : values.join(' and ')}`, () => {
      const { found } = createJsonScanner({ wanted: path })(new TextEncoder().encode(BODY))
      expect(found.wanted.map(({ start, end }) => BODY.slice(start, end))).toEqual([...values])
    })
  }

  test('a path above and one below another find both', () => {
    const { found } = createJsonScanner({ all: 'deep', below: 'deep.list[].x' })(new TextEncoder().encode(BODY))
    expect([found.all, found.below].map((spans) => spans.length)).toEqual([1, 1])
  })

  for (const [title, paths] of [
    ['an empty step', { a: 'x..y' }],
    ['an open bracket', { a: 'x[' }],
    ['a word for an index', { a: 'x[first]' }],
    ['the same path twice', { a: 'x', b: 'x' }],
    ['two kinds of elements of one array', { a: 'x[].y', b: 'x[0].z' }],
  ] as const) {
    test(`${title} is a programming error`, () => {
      expect(() => compileJsonPaths(paths as Record<string, string>)).toThrow()
    })
  }
})
