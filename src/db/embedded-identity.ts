/**
 * Whom the embedded Postgres runs as: it refuses to be root, so root's gateway gives it an ordinary user of its own.
 *
 * Invariant: `null` means "as ourselves"; then nothing is ever chowned.
 * If it fails: a cluster of another user is refused with one line that says what to do.
 */
import { chownSync, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

export interface ServerIdentity {
  uid: number
  gid: number
}

/** "nobody" on every Linux; a number needs no entry in /etc/passwd, so it also works in an empty container. */
const NOBODY: ServerIdentity = { uid: 65534, gid: 65534 }

/**
 * A cluster keeps its owner: one made by an ordinary user and later served by root stays that user's.
 * Root's own files (a backup copied back, say) become nobody's.
 */
export function serverIdentity(clusterDir: string, ownUid: number): ServerIdentity | null {
  const owner = statSync(clusterDir, { throwIfNoEntry: false })
  if (ownUid === 0) return owner === undefined || owner.uid === 0 ? NOBODY : { uid: owner.uid, gid: owner.gid }
  if (owner === undefined || owner.uid === ownUid) return null
  throw new Error(
    `${clusterDir} belongs to user ${owner.uid}, but turnpike runs as user ${ownUid}: ` +
      `run it as that user or as root, chown the directory, or set DATABASE_URL`,
  )
}

export function giveTo(identity: ServerIdentity, path: string): void {
  chownSync(path, identity.uid, identity.gid)
  if (!lstatSync(path).isDirectory()) return
  for (const entry of readdirSync(path)) giveTo(identity, join(path, entry))
}

/** Can `identity` walk down to `directory`? By permission bits; access lists may say more, a trial run tells. */
export function canReach(directory: string, identity: ServerIdentity): boolean {
  for (let path = realpathSync(directory); ; path = dirname(path)) {
    const { uid, gid, mode } = statSync(path)
    const mayEnter = uid === identity.uid ? 0o100 : gid === identity.gid ? 0o010 : 0o001
    if ((mode & mayEnter) === 0) return false
    if (path === dirname(path)) return true
  }
}
