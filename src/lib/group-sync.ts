/**
 * Brings written files to the disk in groups, off the caller's path: one fdatasync for all that was written since the last one, at most
 * every so often; at once, one after the other, while somebody waits for it (group commit).
 *
 * A sync takes the disk 1–10 ms, whatever its size. It runs on another thread.
 *
 * If it fails: those who wait are told; what was written counts as not synced and the next sync tries again. The kernel may have dropped the
 * pages all the same: a disk that refuses a sync can't be trusted with what it was given, and only the waiting ones learn of it.
 */
import { closeSync, fdatasync, fsync, openSync } from 'node:fs'

export interface GroupSync {
  /** Something was written to the file. */
  written(fd: number): void
  /** A file was made in the folder: its entry is to be synced, too. */
  begun(): void
  /** Nothing more is written to the file: closed after the next sync. */
  retire(fd: number): void
  /** Resolves when all that was written before is on the disk. */
  synced(): Promise<void>
  /** Syncs the rest and closes the files. */
  close(fd: number | null): Promise<void>
}

export interface GroupSyncOptions {
  everyMs: number
  directory: string
}

export function createGroupSync({ everyMs, directory }: GroupSyncOptions): GroupSync {
  let dirty = new Set<number>()
  let retired: number[] = []
  let isFolderDirty = false
  let timer: ReturnType<typeof setTimeout> | null = null
  let running: Promise<void> | null = null
  let next: Promise<void> | null = null

  function later(): void {
    if (timer || running) return
    timer = setTimeout(() => {
      timer = null
      // Who wants to know has asked `synced`.
      run().catch(() => {})
    }, everyMs)
    timer.unref()
  }

  function run(): Promise<void> {
    if (timer) clearTimeout(timer)
    timer = null
    const files = [...dirty]
    const closing = retired
    const withFolder = isFolderDirty
    dirty = new Set()
    retired = []
    isFolderDirty = false
    running = syncAll([...new Set([...files, ...closing])], withFolder ? directory : null)
      .then(
        () => closing.forEach(closeSync),
        (error) => {
          for (const fd of files) dirty.add(fd)
          retired.push(...closing)
          isFolderDirty ||= withFolder
          throw error
        },
      )
      .finally(() => {
        running = null
        if (dirty.size > 0 || retired.length > 0) later()
      })
    return running
  }

  function synced(): Promise<void> {
    if (!running) return dirty.size + retired.length > 0 || isFolderDirty ? run() : Promise.resolve()
    next ??= running
      .catch(() => {})
      .then(() => {
        next = null
        return dirty.size + retired.length > 0 || isFolderDirty ? run() : undefined
      })
    return next
  }

  return {
    written(fd) {
      dirty.add(fd)
      later()
    },
    begun() {
      isFolderDirty = true
      later()
    },
    retire(fd) {
      retired.push(fd)
      later()
    },
    synced,
    async close(fd) {
      if (fd !== null) retired.push(fd)
      await synced().catch(() => {})
      if (timer) clearTimeout(timer)
      for (const left of retired) closeSync(left)
    },
  }
}

async function syncAll(files: readonly number[], directory: string | null): Promise<void> {
  await Promise.all(files.map((fd) => called((done) => fdatasync(fd, done))))
  if (directory === null) return
  const fd = openSync(directory, 'r')
  await called((done) => fsync(fd, done)).finally(() => closeSync(fd))
}

function called(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => start((error) => (error ? reject(error) : resolve())))
}
