/** What the operator's functions need: the database, the secrets, the rules of this installation. Each takes what it uses. */
import type { Change } from '../db/changes.ts'
import type { Db } from '../db/client.ts'
import type { Clock } from '../lib/clock.ts'
import type { OutboundPolicy } from '../lib/outbound-guard.ts'
import type { Secretbox } from '../lib/secretbox.ts'

export interface AdminDeps {
  db: Db
  /** Seals credentials (ACC-8). */
  box: Secretbox
  /** Under which keys and tokens are hashed (KEY-1). */
  pepper: Uint8Array
  apiKeyPrefix: string
  outbound: OutboundPolicy
  clock: Clock
  /** Tells this process at once, after the commit; the others hear it from the database (KEY-3). */
  onChange(change: Change): void | Promise<void>
}
