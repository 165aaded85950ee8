import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { readTar, type TarEntry, writeTar } from '../../src/lib/tar.ts'

const name = fc.stringMatching(/^[a-z0-9äß ._-]{1,20}$/)
const file = fc.record({
  path: fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/')),
  kind: fc.constant('file' as const),
  mode: fc.integer({ min: 0, max: 0o777 }),
  bytes: fc.uint8Array({ maxLength: 1500 }),
})
const directory = file.map((entry) => ({ ...entry, kind: 'directory' as const, bytes: new Uint8Array(0) }))
const entries = fc.array(fc.oneof(file, directory))
const plain = (list: Iterable<TarEntry>) => [...list].map((entry) => ({ ...entry, bytes: [...entry.bytes] }))

test('what is read is what was written, whatever the sizes, names and modes', () => {
  fc.assert(fc.property(entries, (list) => expect(plain(readTar(writeTar(list)))).toEqual(plain(list))))
})

test('an archive cut anywhere gives whole entries or an error, never a short file', () => {
  const list = [1, 600, 1024].map((size, index) => ({
    path: `file-${index}`,
    kind: 'file' as const,
    mode: 0o644,
    bytes: new Uint8Array(size).fill(7),
  }))
  const whole = writeTar(list)
  for (let length = 0; length < whole.length; length += 100) {
    try {
      const read = plain(readTar(whole.subarray(0, length)))
      expect(read).toEqual(plain(list).slice(0, read.length))
    } catch (error) {
      expect((error as Error).message).toBe('The archive is cut short')
    }
  }
})

test('another reader of the format understands our archives', async () => {
  const bytes = new TextEncoder().encode('hello')
  const tar = writeTar([
    { path: 'a', kind: 'directory', mode: 0o755, bytes: new Uint8Array(0) },
    { path: 'a/b.txt', kind: 'file', mode: 0o644, bytes },
  ])
  const files = await new Bun.Archive(tar).files()
  expect(await files.get('a/b.txt')?.text()).toBe('hello')
})

test('a name that the format has no room for is refused when writing', () => {
  const entry = { path: 'x'.repeat(101), kind: 'file' as const, mode: 0o644, bytes: new Uint8Array(0) }
  expect(() => writeTar([entry])).toThrow('Too long for the archive')
})
