/**
 * Run-time settings: what the environment says, with what operators stored laid over it.
 * Which settings there are and what they may be is the configuration's business: names and values are passed in.
 */
import type { Fault } from '../core/fault.ts'
import type { Db } from '../db/client.ts'
import { listSettings, upsertSettings } from '../db/settings.ts'
import type { Actor } from './actor.ts'
import type { AdminDeps } from './deps.ts'
import { write } from './write.ts'

export type Settings = Record<string, unknown>
export type SettingsAdmin = ReturnType<typeof createSettingsAdmin>

export function createSettingsAdmin(deps: AdminDeps & { configured: Readonly<Settings> }) {
  const { db, configured, onChange } = deps

  async function current(from: Db): Promise<Settings> {
    const stored = await listSettings(from)
    const names = Object.keys(configured)
    return Object.fromEntries(names.map((name) => [name, stored[name] ?? configured[name]]))
  }

  return {
    get: () => current(db),

    /** Null takes a stored value away. */
    async patch(actor: Actor, body: Settings): Promise<Settings | Fault | null> {
      const [first = '', ...others] = Object.keys(body)
      const work = async (transaction: Db) => {
        await upsertSettings(transaction, body, actor.name)
        return current(transaction)
      }
      const result = await write(deps, {
        actor,
        verb: 'patch',
        kind: 'setting',
        changes: body,
        work,
        idOf: () => first,
      })
      for (const name of others) await onChange({ kind: 'setting', id: name })
      return result
    },
  }
}
