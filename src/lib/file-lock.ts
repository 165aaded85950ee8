/**
 * Advisory locks on files that end with their holder, however it ends: flock(2).
 *
 * Why: a pid in a file lies after a crash (the number is reused, or the process is a zombie, or lives in another
 * container); the kernel drops a flock when the last descriptor of that open file is closed, so it can't go stale.
 * A child that inherits `fd` holds the lock too: that is how a server proves that it is alive.
 * Bun has no flock of its own, hence the FFI (0.3 ms for the first call).
 *
 * If it fails: a file system without flock throws here, with its path, rather than pretend to lock.
 */
import { dlopen, type Pointer, read } from 'bun:ffi'
import { closeSync, openSync } from 'node:fs'

export interface FileLock {
  /** Pass it on as a child's stdin to let the child hold the lock. */
  readonly fd: number
  /** Closes our descriptor; the lock ends unless a child inherited it. */
  release(): void
}

const LOCK = { shared: 1, exclusive: 2 } as const
const DO_NOT_BLOCK = 4
const EWOULDBLOCK = 11

/**
 * Null: somebody else holds it in a way that excludes us. Two locks taken by one process exclude each other as well.
 */
export function tryLockFile(path: string, kind: keyof typeof LOCK): FileLock | null {
  const { flock, __errno_location } = libc()
  const fd = openSync(path, 'a', 0o600)
  if (flock(fd, LOCK[kind] | DO_NOT_BLOCK) === 0) return { fd, release: () => closeSync(fd) }
  const errno = read.i32(__errno_location() as Pointer)
  closeSync(fd)
  if (errno === EWOULDBLOCK) return null
  throw new Error(`${path} can't be locked (flock: errno ${errno}); its file system must support flock`)
}

function openLibc() {
  return dlopen('libc.so.6', {
    flock: { args: ['i32', 'i32'], returns: 'i32' },
    __errno_location: { args: [], returns: 'ptr' },
  }).symbols
}

let symbols: ReturnType<typeof openLibc> | undefined

function libc(): ReturnType<typeof openLibc> {
  symbols ??= openLibc()
  return symbols
}
