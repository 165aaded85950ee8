import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createHistogram } from '../../src/lib/histogram.ts'
import { renderPrometheus } from '../../src/lib/prometheus-text.ts'

describe('Prometheus text', () => {
  test('a family is its help, its type and one line a sample (OPS-7)', () => {
    const text = renderPrometheus([
      {
        name: 'a_total',
        help: 'Counts\nof \\ things.',
        type: 'counter',
        samples: [{ labels: { kind: 'x', other: 'y' }, value: 3 }, { value: '0.000000001' }],
      },
      { name: 'nothing', help: 'Not measured.', type: 'gauge', samples: [] },
      { name: 'b', help: 'Extremes.', type: 'gauge', samples: [Infinity, -Infinity, NaN].map((value) => ({ value })) },
    ])
    expect(text).toBe(
      '# HELP a_total Counts\\nof \\\\ things.\n# TYPE a_total counter\na_total{kind="x",other="y"} 3\na_total 0.000000001\n' +
        '# HELP b Extremes.\n# TYPE b gauge\nb +Inf\nb -Inf\nb NaN\n',
    )
  })

  test('no label value can end its line, its quotes or the text (OPS-7, OPS-11)', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const text = renderPrometheus([
          { name: 'a', help: '-', type: 'gauge', samples: [{ labels: { l: value }, value: 1 }] },
        ])
        const lines = text.split('\n')
        expect(lines).toHaveLength(4)
        expect(lines[2]).toMatch(/^a\{l="(?:[^"\\]|\\["\\n])*"\} 1$/)
        expect(text.isWellFormed()).toBe(true)
      }),
    )
  })
})

describe('a histogram', () => {
  test('counts cumulatively, a bound included, with sum and count (OPS-7)', () => {
    const histogram = createHistogram([0.1, 1])
    for (const value of [0.05, 0.1, 0.5, 1, 7]) histogram.observe(value)
    expect(histogram.samples({ p: 'x' })).toEqual([
      { suffix: '_bucket', labels: { p: 'x', le: '0.1' }, value: 2 },
      { suffix: '_bucket', labels: { p: 'x', le: '1' }, value: 4 },
      { suffix: '_bucket', labels: { p: 'x', le: '+Inf' }, value: 5 },
      { suffix: '_sum', labels: { p: 'x' }, value: 8.65 },
      { suffix: '_count', labels: { p: 'x' }, value: 5 },
    ])
  })
})
