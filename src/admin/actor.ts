/** Who does something as an operator: what roles are checked by and what the audit log names (OPS-9). */
export interface Actor {
  /** Name of the admin token; `root` for the configured one, `cli` for the command line. */
  name: string
  /** A viewer reads only. */
  role: 'admin' | 'viewer'
  clientIp: string | null
}

export const ROOT_NAME = 'root'

/** Whoever can run the binary against the database is an administrator. */
export const CLI_ACTOR: Actor = { name: 'cli', role: 'admin', clientIp: null }
