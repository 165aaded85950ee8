/** A folder that is gone when the test file is over. */
import { afterAll } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { spaciousDirectory } from './spacious-directory.ts'

export function temporaryFolders(): () => string {
  const made: string[] = []
  afterAll(() => {
    for (const path of made) rmSync(path, { recursive: true, force: true })
  })
  return () => {
    const path = mkdtempSync(join(spaciousDirectory(), 'turnpike-folder-'))
    made.push(path)
    return path
  }
}
