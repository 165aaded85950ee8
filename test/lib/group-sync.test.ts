import { expect, test } from 'bun:test'
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createGroupSync } from '../../src/lib/group-sync.ts'
import { temporaryFolders } from '../support/folder.ts'

const newFolder = temporaryFolders()

test('a disk that refuses a sync: who waits is told, and it is tried again (OPS-1)', async () => {
  const directory = newFolder()
  const sync = createGroupSync({ everyMs: 1_000_000, directory })
  const path = join(directory, 'file')
  const fd = openSync(path, 'w')
  writeSync(fd, 'text')
  sync.written(fd)
  closeSync(fd)
  await expect(sync.synced()).rejects.toThrow('EBADF')
  await expect(sync.synced()).rejects.toThrow('EBADF')
  // The number is a good file's again.
  expect(openSync(path, 'a')).toBe(fd)
  await sync.synced()
  await sync.close(fd)
})

test('closing syncs what was written and gives back every file (OPS-2)', async () => {
  const directory = newFolder()
  const sync = createGroupSync({ everyMs: 1_000_000, directory })
  const [full, active] = [openSync(join(directory, '1'), 'w'), openSync(join(directory, '2'), 'w')]
  for (const fd of [full, active]) sync.written(fd)
  sync.begun()
  sync.retire(full)
  await sync.close(active)
  for (const fd of [full, active]) expect(() => writeSync(fd, 'x')).toThrow('EBADF')
})
