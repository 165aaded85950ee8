/** What a meter reads of a stream's end does not depend on how much of the tail was decoded for it (REL-17). */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { createEventTail } from '../../src/lib/event-tail.ts'
import { type Selection, ssePieces } from '../../src/protocols/kept-pieces.ts'

const SELECTION: Selection = { skips: (block) => block.startsWith(':'), first: 1, last: 8 }
const event = fc.oneof(
  { weight: 6, arbitrary: fc.nat(400).map((length) => `data: {"n":"${'x'.repeat(length)}"}`) },
  { weight: 2, arbitrary: fc.constant(': comment') },
  { weight: 1, arbitrary: fc.constant('event: a\ndata: {"two":"lines"}') },
)
const blank = fc.constantFrom('\n\n', '\n\n', '\n\n', '\r\n\r\n')

test('the last events are the same, read from the end or from the tail as a whole (REL-17)', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(event, blank), { maxLength: 60 }),
      fc.constantFrom('', 'data: [DONE]'),
      (all, open) => {
        const text = all.map(([block, end]) => (end === '\n\n' ? block : block.replaceAll('\n', '\r\n')) + end).join('')
        const tail = createEventTail({ framing: 'sse', headBytes: 1024, worthKeeping: () => false })
        tail.push(Buffer.from(text + open))
        const kept = tail.kept()
        const whole = ssePieces(kept, { ...SELECTION, last: Number.POSITIVE_INFINITY })
        const fewer = ssePieces(kept, SELECTION)
        const ofHead = kept.head === null ? 0 : 1
        const [ending, rest] = open === '' ? [whole.slice(ofHead), []] : [whole.slice(ofHead, -1), whole.slice(-1)]
        expect(fewer).toEqual([...whole.slice(0, ofHead), ...ending.slice(-8), ...rest])
      },
    ),
    { numRuns: 500 },
  )
})
