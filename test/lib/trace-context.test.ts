import { expect, test } from 'bun:test'
import { parseTraceparent } from '../../src/lib/trace-context.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'

test('a traceparent gives the caller’s trace, span and whether it is recorded (OPS-7)', () => {
  expect(parseTraceparent(`00-${TRACE}-${SPAN}-01`)).toEqual({ traceId: TRACE, spanId: SPAN, sampled: true })
  expect(parseTraceparent(`00-${TRACE}-${SPAN}-00`)).toMatchObject({ sampled: false })
  expect(parseTraceparent(`cc-${TRACE}-${SPAN}-09-what-is-to-come`)).toMatchObject({ traceId: TRACE, sampled: true })
})

test('anything else is no trace (OPS-7, OPS-11)', () => {
  const wrong = [
    null,
    '',
    `ff-${TRACE}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01x`,
  ]
  for (const header of wrong) expect([header, parseTraceparent(header)]).toEqual([header, null])
})
