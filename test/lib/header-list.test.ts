import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { HeaderList, type HeaderReader } from '../../src/lib/header-list.ts'

const name = fc.constantFrom('X-Request-Id', 'x-request-id', 'Retry-After', 'content-type', 'X-RateLimit-Reset', 'etag')
const value = fc.stringMatching(/^[ \t]{0,2}[!-~]{0,6}[ \t]{0,2}[!-~]{0,4}[ \t]{0,2}$/)

function fieldsOf(headers: HeaderReader): [string, string][] {
  const fields: [string, string][] = []
  headers.forEach((value, name) => void fields.push([name, value]))
  return fields.sort(([a], [b]) => (a < b ? -1 : 1))
}

test('a header list answers what the runtime’s Headers answers, whatever was appended and deleted (REL-6)', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(name, value), { maxLength: 12 }),
      fc.array(name, { maxLength: 3 }),
      (added, deleted) => {
        const ours = new HeaderList()
        const theirs = new Headers()
        for (const [name, value] of added) {
          ours.append(name, value)
          theirs.append(name, value)
        }
        for (const name of deleted) {
          ours.delete(name)
          theirs.delete(name)
        }
        expect(fieldsOf(ours)).toEqual(fieldsOf(theirs))
        for (const [name] of added) expect(ours.get(name)).toBe(theirs.get(name))
      },
    ),
  )
})

test('lines give the same list as their fields one by one (REL-6)', () => {
  const lineEnd = fc.constantFrom('\n', '\r\n')
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value, lineEnd), { maxLength: 12 }), (fields) => {
      const [one, all] = [new HeaderList(), new HeaderList()]
      for (const [name, value] of fields) one.append(name, value)
      const count = all.appendLines(fields.map(([name, value, end]) => `${name}:${value}${end}`).join(''))
      expect(count).toBe(fields.length)
      expect(fieldsOf(all)).toEqual(fieldsOf(one))
    }),
  )
})
