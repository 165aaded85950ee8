/**
 * The embedded Postgres as the compiled binary carries it: two zstd archives made by the build, one of the programs,
 * one of a ready cluster.
 *
 * Why a ready cluster: initdb takes 0.6 s, most of it CPU, unpacking a ready one 0.2 s. All installs share its system
 * identifier, which only matters to replication, and this server never replicates.
 * zstd level 19 packs 90 MB into 16.5 MB (level 1: 25 MB) and unpacks as fast as any level.
 *
 * If it fails: a damaged archive throws while unpacking; nothing has been renamed into place by then.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { readTar } from '../lib/tar.ts'
import type { ServerFiles } from './embedded-files.ts'
import { giveTo } from './embedded-identity.ts'
import { filesFromPackage } from './embedded-package.ts'

/** Modules of a compiled binary live below this path. */
const COMPILED = import.meta.path.startsWith('/$bunfs/')

/** What this process has: the archives inside its binary, or the npm package beside its source. */
export async function serverFiles(): Promise<ServerFiles> {
  if (!COMPILED) return filesFromPackage()
  // Imported here, not at the top: from source these files need not exist, and a start with DATABASE_URL never reads
  // them.
  const programs = await import('../../.cache/embedded/programs.tar.zst', { with: { type: 'file' } })
  const cluster = await import('../../.cache/embedded/cluster.tar.zst', { with: { type: 'file' } })
  return filesFromArchives(programs.default, cluster.default)
}

/** The bundler puts a hash of the content into a file's name: "programs.tar-fg94xs46.zst". That is the key. */
export function filesFromArchives(programs: string, cluster: string): ServerFiles {
  return {
    key: basename(programs, '.zst').replace('programs.tar-', ''),
    inPlace: null,
    unpackPrograms: (into) => (COMPILED ? unpackElsewhere(programs, into) : unpack(programs, into)),
    createCluster: async ({ into, identity }) => {
      await unpack(cluster, into)
      if (identity !== null) giveTo(identity, into)
    },
  }
}

/** The command by which the binary is told to only unpack: an archive of its own, into a directory. */
export const UNPACK = 'unpack'

/**
 * In a process of its own: the archive's pages of the binary, and what it is unpacked to, would else stay with the gateway for as long as it
 * runs (29 MB). A new cluster is too small for that.
 */
async function unpackElsewhere(archive: string, into: string): Promise<void> {
  const child = Bun.spawn([process.execPath, UNPACK, archive, into], { stdio: ['ignore', 'ignore', 'pipe'] })
  const said = await child.stderr.text()
  if ((await child.exited) !== 0) throw new Error(said.trim().split('\n').at(-1) || 'its archive could not be unpacked')
}

/** If it fails: what was unpacked so far is left there. */
export async function unpack(archive: string, into: string): Promise<void> {
  const tar = await Bun.zstdDecompress(await Bun.file(archive).bytes())
  for (const { path, kind, mode, bytes } of readTar(tar)) {
    if (kind === 'directory') mkdirSync(join(into, path), { mode })
    else writeFileSync(join(into, path), bytes, { mode })
  }
}
