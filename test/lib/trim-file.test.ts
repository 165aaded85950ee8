import { afterAll, expect, test } from 'bun:test'
import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { trimFile } from '../../src/lib/trim-file.ts'

const directory = mkdtempSync(join(tmpdir(), 'turnpike-trim-'))
afterAll(() => rmSync(directory, { recursive: true }))
const read = (path: string) => readFileSync(path, 'utf8')

test('a log up to its limit is left alone, a missing one too', () => {
  const path = join(directory, 'small.log')
  trimFile(path, 10)
  writeFileSync(path, '0123456789')
  trimFile(path, 10)
  expect(read(path)).toBe('0123456789')
})

test('a log over its limit starts again while its writer goes on; one predecessor is kept', () => {
  const path = join(directory, 'grown.log')
  const writer = openSync(path, 'a')
  writeSync(writer, 'first chapter')
  trimFile(path, 10)
  writeSync(writer, 'second chapter')
  expect(read(path)).toBe('second chapter')
  expect(read(`${path}.1`)).toBe('first chapter')
  trimFile(path, 10)
  appendFileSync(path, 'third')
  closeSync(writer)
  expect([read(path), read(`${path}.1`)]).toEqual(['third', 'second chapter'])
})
