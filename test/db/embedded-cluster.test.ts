import { afterAll, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clusterMark, isServerOf, prepareCluster, readPostmasterFile } from '../../src/db/embedded-cluster.ts'
import type { ServerFiles } from '../../src/db/embedded-files.ts'
import { canReach, giveTo, serverIdentity } from '../../src/db/embedded-identity.ts'

const ownUid = process.geteuid?.() ?? 0
const NOBODY = { uid: 65534, gid: 65534 }
const root = mkdtempSync(join(tmpdir(), 'turnpike-cluster-'))
afterAll(() => rmSync(root, { recursive: true }))
let made = 0

function directory(): string {
  const path = join(root, String(made++))
  mkdirSync(path)
  return path
}

const files: ServerFiles = {
  key: 'v1',
  inPlace: null,
  unpackPrograms: () => Promise.reject(new Error('not asked for')),
  createCluster: async ({ into }) => writeFileSync(join(into, 'PG_VERSION'), '18\n'),
}

test('no cluster is left on a machine that can not run its server (OPS-3)', async () => {
  const home = directory()
  const programs = Promise.reject(new Error('no libstdc++'))
  const preparing = prepareCluster({ into: join(home, 'cluster'), programs, identity: null }, files)
  await expect(preparing).rejects.toThrow('no libstdc++')
  expect(readdirSync(home)).toEqual([])
})

test('a cluster is made once and then left as it is (OPS-3)', async () => {
  const into = join(directory(), 'cluster')
  const programs = Promise.resolve('')
  await prepareCluster({ into, programs, identity: null }, files)
  writeFileSync(join(into, 'mine'), '')
  await prepareCluster({ into, programs, identity: null }, files)
  expect(existsSync(join(into, 'mine'))).toBe(true)
})

test("root's server is nobody, or who owns the data already; an ordinary user's is that user (OPS-3)", () => {
  const own = directory()
  expect(serverIdentity(join(root, 'none'), 0)).toEqual(NOBODY)
  expect(serverIdentity(join(root, 'none'), 1234)).toBeNull()
  if (ownUid === 0) {
    expect(serverIdentity(own, 0)).toEqual(NOBODY)
    giveTo({ uid: 1234, gid: 1235 }, own)
    expect(serverIdentity(own, 0)).toEqual({ uid: 1234, gid: 1235 })
    expect(serverIdentity(own, 1234)).toBeNull()
  } else {
    expect(serverIdentity(own, ownUid)).toBeNull()
  }
})

test('data of another user is refused, naming both and what to do (OPS-3)', () => {
  const own = directory()
  const stranger = statSync(own).uid + 1
  expect(() => serverIdentity(own, stranger)).toThrow(
    new RegExp(`belongs to user ${stranger - 1}, but turnpike runs as user ${stranger}: .*DATABASE_URL`),
  )
})

test('a directory is within reach only if every one above it is (OPS-3)', () => {
  const above = directory()
  const below = join(above, 'below')
  mkdirSync(below)
  const stranger = { uid: ownUid + 1, gid: 1 }
  chmodSync(root, 0o755)
  chmodSync(above, 0o711)
  expect(canReach(below, stranger)).toBe(true)
  chmodSync(above, 0o744)
  expect(canReach(below, stranger)).toBe(false)
  expect(canReach(below, { uid: ownUid, gid: 1 })).toBe(true)
})

test('only a process that works in the cluster, or bears its mark, is its server (OPS-3)', async () => {
  const [cluster, other] = [directory(), directory()]
  const inside = Bun.spawn(['sleep', '60'], { cwd: cluster })
  const marked = Bun.spawn(['sh', '-c', 'read line', clusterMark(cluster)], { cwd: other, stdin: 'pipe' })
  expect(isServerOf(cluster, inside.pid)).toBe(true)
  expect(isServerOf(other, inside.pid)).toBe(false)
  expect(isServerOf(cluster, process.pid)).toBe(false)
  // Its directory can be read here, and says otherwise.
  expect(isServerOf(cluster, marked.pid)).toBe(false)
  for (const child of [inside, marked]) {
    child.kill('SIGKILL')
    await child.exited
    expect(isServerOf(cluster, child.pid)).toBe(false)
  }
})

test('a missing or half written postmaster file is no server (OPS-3)', () => {
  const cluster = directory()
  expect(readPostmasterFile(cluster)).toBeNull()
  writeFileSync(join(cluster, 'postmaster.pid'), '4711\n/proc/self/cwd\n')
  expect(readPostmasterFile(cluster)).toEqual({ pid: 4711, ready: false })
})
