/**
 * Keeps a log that another process appends to from growing without bound: beyond the limit its content moves to
 * `<path>.1` and it starts again, empty. The writer must append (O_APPEND), then it goes on at the new end.
 *
 * If it fails: lines written between copy and cut are lost; a full disk leaves the file as it is.
 */
import { copyFileSync, statSync, truncateSync } from 'node:fs'

export function trimFile(path: string, limitBytes: number): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined || found.size <= limitBytes) return
  try {
    copyFileSync(path, `${path}.1`)
  } finally {
    truncateSync(path)
  }
}
