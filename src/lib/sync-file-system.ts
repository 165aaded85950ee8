/**
 * Waits until everything written to the file system that holds `path` is on disk: syncfs(2).
 *
 * Why: a thousand new files must survive a power cut before they are renamed into place. One syncfs took 70 ms where
 * an fsync per file took 230 ms.
 * If it fails: throws with the path; nothing may be renamed then.
 */
import { dlopen } from 'bun:ffi'
import { closeSync, openSync } from 'node:fs'

export function syncFileSystem(path: string): void {
  const { syncfs } = dlopen('libc.so.6', { syncfs: { args: ['i32'], returns: 'i32' } }).symbols
  const fd = openSync(path, 'r')
  try {
    if (syncfs(fd) !== 0) throw new Error(`${path} can't be synced to disk`)
  } finally {
    closeSync(fd)
  }
}
