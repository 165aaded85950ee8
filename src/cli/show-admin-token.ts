/** The first start with no token: made, kept, and shown this once (OPS-3). */
import { openAdminToken } from '../admin/secrets.ts'
import type { Config } from '../config.ts'
import type { Terminal } from './command.ts'

/** The Config with its admin token, wherever that came from. */
export function showAdminToken(config: Config, terminal: Terminal): Config {
  const { value, made, path, warnings } = openAdminToken(config)
  if (made) {
    terminal.out(`admin token: ${value}`)
    terminal.out(`It is shown this once, and kept in ${path}.`)
  }
  for (const warning of warnings) terminal.error(`turnpike: ${warning}`)
  return Object.freeze({ ...config, adminToken: value })
}
