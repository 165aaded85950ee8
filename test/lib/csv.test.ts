import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { csvLine } from '../../src/lib/csv.ts'

/** A plain reader of one RFC 4180 line. */
function readLine(line: string): string[] {
  const cells: string[] = []
  let cell = ''
  let quoted = false
  for (let at = 0; at < line.length; at++) {
    const character = line[at] as string
    if (quoted && character === '"' && line[at + 1] === '"') {
      cell += '"'
      at++
    } else if (character === '"') quoted = !quoted
    else if (!quoted && (character === ',' || line.startsWith('\r\n', at))) {
      cells.push(cell)
      cell = ''
      if (character !== ',') at++
    } else cell += character
  }
  return cells
}

describe('a line of CSV', () => {
  test('numbers and flags are bare, null is empty, texts are quoted where they must be', () => {
    expect(csvLine(['a', 1.5, true, null, -3, 'b,c', 'say "hi"', 'x\ny', ''])).toBe(
      'a,1.5,true,,-3,"b,c","say ""hi""","x\ny",\r\n',
    )
  })

  test('a text that begins like a formula is no formula any more (USE-11)', () => {
    for (const text of ['=1+1', '+1', '-1', '@SUM(A1)', '\tx', '\rx', '\n=x', '＝1', '=cmd|"/C calc"!A0']) {
      const [cell] = readLine(csvLine([text]))
      expect(cell).toBe(`'${text}`)
    }
    expect(csvLine(['a=1', "'x"])).toBe("a=1,'x\r\n")
  })

  test('any texts come back from it, but for the guard', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '"', ',', '\r', '\n', '=', "'", 'é', '漢') })
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 6 }), (texts) => {
        const cells = readLine(csvLine(texts))
        expect(cells.map((cell, index) => (cell === texts[index] ? cell : cell.slice(1)))).toEqual(texts)
      }),
    )
  })
})
