/**
 * Every write of an operator: the change and its entry in the audit log in one transaction, then this process is told (OPS-9).
 *
 * If it fails: neither the change nor the entry is there. An `onChange` that fails is the process's own trouble: the change is
 * committed, and the notice through the database follows anyway.
 */
import { type Fault, isFault } from '../core/fault.ts'
import { insertAuditEntry } from '../db/audit-log.ts'
import type { ChangeKind } from '../db/changes.ts'
import type { Db } from '../db/client.ts'
import { transact } from '../db/transact.ts'
import { isSecretName } from '../lib/redact.ts'
import type { Actor } from './actor.ts'
import type { AdminDeps } from './deps.ts'

export interface Write<T> {
  actor: Actor
  /** "create", "patch", "rotate" … */
  verb: string
  kind: ChangeKind
  /** The body as it came: the audit log keeps its fields without the secrets. */
  changes?: object
  work(transaction: Db): Promise<T | Fault | null>
  idOf(result: T): string
}

export async function write<T extends object | string | true>(
  deps: AdminDeps,
  wish: Write<T>,
): Promise<T | Fault | null> {
  const { actor, verb, kind, changes = {}, work, idOf } = wish
  const result = await transact(deps.db, async (transaction) => {
    const done = await work(transaction)
    if (done === null || isFault(done)) return done
    await insertAuditEntry(transaction, {
      actor: actor.name,
      action: `${kind}.${verb}`,
      resource: kind,
      resourceId: idOf(done),
      changes: withoutSecrets(changes),
      clientIp: actor.clientIp,
    })
    return done
  })
  if (result !== null && !isFault(result)) await deps.onChange({ kind, id: idOf(result) })
  return result
}

/** An e-mail address is what an operator must see in the audit log; in the process's log it is hidden (OPS-8). */
function withoutSecrets(changes: object): Record<string, unknown> {
  const clean = Object.entries(changes).map(([name, value]) => {
    if (name !== 'email' && isSecretName(name)) return [name, '[secret]']
    return [name, isPlainObject(value) ? withoutSecrets(value) : value]
  })
  return Object.fromEntries(clean)
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
