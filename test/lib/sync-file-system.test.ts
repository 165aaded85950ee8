import { expect, test } from 'bun:test'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { syncFileSystem } from '../../src/lib/sync-file-system.ts'

test('an existing path is synced, a missing one is never taken for synced', () => {
  expect(() => syncFileSystem(tmpdir())).not.toThrow()
  expect(() => syncFileSystem(join(tmpdir(), 'no-such-place'))).toThrow('no-such-place')
})
