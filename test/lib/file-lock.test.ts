import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FileLock, tryLockFile } from '../../src/lib/file-lock.ts'

const directory = mkdtempSync(join(tmpdir(), 'turnpike-lock-'))
afterAll(() => rmSync(directory, { recursive: true }))

const held = (lock: FileLock | null): FileLock => {
  if (lock === null) throw new Error('the lock is taken')
  return lock
}

test('an exclusive lock excludes everybody until it is released', () => {
  const path = join(directory, 'exclusive')
  const lock = held(tryLockFile(path, 'exclusive'))
  expect(tryLockFile(path, 'exclusive')).toBeNull()
  expect(tryLockFile(path, 'shared')).toBeNull()
  lock.release()
  held(tryLockFile(path, 'exclusive')).release()
})

test('shares go together and exclude an exclusive lock until the last is released', () => {
  const path = join(directory, 'shared')
  const shares = [held(tryLockFile(path, 'shared')), held(tryLockFile(path, 'shared'))]
  shares[0]?.release()
  expect(tryLockFile(path, 'exclusive')).toBeNull()
  shares[1]?.release()
  held(tryLockFile(path, 'exclusive')).release()
})

test('a child that inherits the lock holds it until it is killed, however long its parent has let go', async () => {
  const path = join(directory, 'inherited')
  const lock = held(tryLockFile(path, 'exclusive'))
  const child = Bun.spawn(['sleep', '60'], { stdio: [lock.fd, 'ignore', 'ignore'] })
  lock.release()
  expect(tryLockFile(path, 'exclusive')).toBeNull()
  child.kill('SIGKILL')
  await child.exited
  held(tryLockFile(path, 'exclusive')).release()
})

test('other children do not inherit a lock', async () => {
  const path = join(directory, 'private')
  const lock = held(tryLockFile(path, 'exclusive'))
  const child = Bun.spawn(['sleep', '60'], { stdio: ['ignore', 'ignore', 'ignore'] })
  lock.release()
  // For an instant a starting child has all our files.
  let again = tryLockFile(path, 'exclusive')
  for (; again === null; again = tryLockFile(path, 'exclusive')) await Bun.sleep(1)
  again.release()
  expect(child.exitCode).toBeNull()
  child.kill('SIGKILL')
  await child.exited
})

test('a path that can not be opened throws with its name', () => {
  expect(() => tryLockFile(join(directory, 'no/such/place'), 'shared')).toThrow('no/such/place')
})
