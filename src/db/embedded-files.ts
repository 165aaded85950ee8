/**
 * Where the embedded Postgres comes from: the one interface between the two sources (the npm package when run from
 * source, archives inside the compiled binary) and everything that installs and runs it.
 */
import type { ServerIdentity } from './embedded-identity.ts'

export interface ServerFiles {
  /** Names this version of the programs; a directory `programs-<key>` is always complete. */
  key: string
  /** A directory in which the programs can be used as they are, or null when they must be unpacked first. */
  inPlace: string | null
  /** Fills an empty directory with `bin`, `lib` and `share`. */
  unpackPrograms(into: string): Promise<void>
  /** Fills an empty directory with a new cluster, for `identity` to own. */
  createCluster(cluster: NewCluster): Promise<void>
}

export interface NewCluster {
  into: string
  programs: Promise<string>
  identity: ServerIdentity | null
}

/** The only major version whose data files these programs can read. */
export const POSTGRES_MAJOR = '18'

/** Superuser and database: names that nobody needs to know, as only the owner reaches the socket. */
export const DATABASE_NAME = 'turnpike'

/** The server finds its data directory as its working directory; why, is told in embedded-server. */
export const OWN_DIRECTORY = '/proc/self/cwd'
