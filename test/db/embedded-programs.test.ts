/** Where the server's programs are put. The "server" here is a shell script. */
import { afterAll, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ServerFiles } from '../../src/db/embedded-files.ts'
import { installPrograms, removeOtherPrograms } from '../../src/db/embedded-programs.ts'

const ownUid = process.geteuid?.() ?? 0
const root = mkdtempSync(join(tmpdir(), 'turnpike-programs-'))
chmodSync(root, 0o755)
afterAll(() => rmSync(root, { recursive: true }))
let made = 0

function directory(mode = 0o755): string {
  const path = join(root, String(made++))
  mkdirSync(path)
  chmodSync(path, mode)
  return path
}

function script(text: string): ServerFiles & { unpacked: number } {
  return {
    key: 'v1',
    inPlace: null,
    unpacked: 0,
    async unpackPrograms(into) {
      this.unpacked++
      mkdirSync(join(into, 'bin'))
      writeFileSync(join(into, 'bin/postgres'), `#!/bin/sh\n${text}\n`, { mode: 0o700 })
    },
    createCluster: () => Promise.reject(new Error('not asked for')),
  }
}

const install = (files: ServerFiles, home: string, caches: string[] = [], uid = ownUid) =>
  installPrograms({ home, files, ownUid, identity: uid === ownUid ? null : { uid, gid: uid }, caches })

test('programs are put beside the data once, and found there by the next start (OPS-3)', async () => {
  const [files, home] = [script('exit 0'), directory()]
  const programs = await install(files, home)
  expect(programs).toBe(join(home, 'programs-v1'))
  expect(await install(files, home)).toBe(programs)
  expect(files.unpacked).toBe(1)
  expect(readdirSync(home)).toEqual(['programs-v1'])
})

test('programs that run where they are, are used there (OPS-3)', async () => {
  const files = { ...script('exit 0'), inPlace: directory() }
  await files.unpackPrograms(files.inPlace)
  expect(await install(files, directory())).toBe(files.inPlace)
})

test('programs that do not run where they are, are put beside the data (OPS-3)', async () => {
  const [files, home] = [{ ...script('exit 0'), inPlace: directory() }, directory()]
  expect(await install(files, home)).toBe(join(home, 'programs-v1'))
})

test.skipIf(ownUid !== 0)(
  'programs go where the server may enter, readable for it whatever our umask (OPS-3)',
  async () => {
    const [closed, cache] = [directory(0o700), join(directory(), 'cache')]
    const umask = process.umask(0o077)
    const programs = await install(script('test -r "$0"'), closed, [cache], 65534).finally(() => process.umask(umask))
    expect(programs).toBe(join(cache, 'programs-v1'))
    expect(readdirSync(closed)).toEqual([])
  },
)

test('a program that can not run here is reported in one line that says set DATABASE_URL, and nothing stays (OPS-3)', async () => {
  const [home, cache] = [directory(), directory()]
  const missing = 'error while loading shared libraries: libstdc++.so.6: cannot open shared object file'
  const failing = install(script(`echo "$0: ${missing}" >&2; exit 127`), home, [cache])
  await expect(failing).rejects.toThrow(
    `The embedded Postgres can't run here: ${missing}; set DATABASE_URL to use a Postgres server`,
  )
  expect([readdirSync(home), readdirSync(cache)]).toEqual([[], []])
})

test('a program that the system refuses to run is reported by its cause (OPS-3)', async () => {
  const unfit = (mode: number, firstLine: string): ServerFiles => ({
    ...script(''),
    async unpackPrograms(into) {
      mkdirSync(join(into, 'bin'))
      writeFileSync(join(into, 'bin/postgres'), `${firstLine}\n`, { mode })
    },
  })
  await expect(install(unfit(0o600, '#!/bin/sh'), directory())).rejects.toThrow(/mounted noexec.*DATABASE_URL/)
  await expect(install(unfit(0o700, '#!/no/such/loader'), directory())).rejects.toThrow(/no glibc.*DATABASE_URL/)
})

test('a place for programs that others could write to is refused (OPS-3)', async () => {
  const cache = directory(0o777)
  const files = script('exit 0')
  // Without a home to put them, the cache is all there is.
  const failing = install(files, join(root, 'missing'), [cache])
  await expect(failing).rejects.toThrow('is not ours alone')
  expect(files.unpacked).toBe(0)
})

test('an unpacking that failed half way leaves nothing that a later start would take for whole (OPS-3)', async () => {
  const home = directory()
  const broken: ServerFiles = {
    ...script('exit 0'),
    async unpackPrograms(into) {
      writeFileSync(join(into, 'half'), '')
      throw new Error('no space left')
    },
  }
  await expect(install(broken, home)).rejects.toThrow('no space left')
  expect(readdirSync(home)).toEqual([])
  expect(await install(script('exit 0'), home)).toBe(join(home, 'programs-v1'))
})

test('what a killed start left half unpacked is never used, and removed after an hour (OPS-3)', async () => {
  const home = directory()
  mkdirSync(join(home, 'partial-1-a'))
  mkdirSync(join(home, 'partial-2-b'))
  const old = new Date(Date.now() - 2 * 3_600_000)
  utimesSync(join(home, 'partial-1-a'), old, old)
  await install(script('exit 0'), home)
  expect(readdirSync(home).sort()).toEqual(['partial-2-b', 'programs-v1'])
})

test('two that install the same programs at once both end up with them (OPS-3)', async () => {
  const home = directory()
  const both = await Promise.all([install(script('exit 0'), home), install(script('exit 0'), home)])
  expect(both).toEqual([join(home, 'programs-v1'), join(home, 'programs-v1')])
  expect(readdirSync(home)).toEqual(['programs-v1'])
})

test('programs of other versions are removed, everything else is left alone (OPS-3)', async () => {
  const home = directory()
  for (const name of ['programs-old', 'programs-new', 'cluster']) mkdirSync(join(home, name))
  removeOtherPrograms(home, join(home, 'programs-new'))
  expect(existsSync(join(home, 'programs-old'))).toBe(false)
  expect(readdirSync(home).sort()).toEqual(['cluster', 'programs-new'])
})
