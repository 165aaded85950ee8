/** Keys as operators are shown them: the stored record, and what is counted of the key at this moment (KEY-6). */
import { type Fault, isFault } from '../core/fault.ts'
import type { ApiKeyRecord, LiveApiKey } from '../schema/api-keys.ts'
import type { KeyUsage } from '../state/key-usage.ts'

/** What is counted of these keys now, by id: one round trip for all. A key that is missing in it is not known to this process. */
export type KeyUsages = (ids: readonly string[]) => Promise<ReadonlyMap<string, KeyUsage>>

export function createLiveKeys(keyUsages: KeyUsages) {
  async function many(rows: readonly ApiKeyRecord[]): Promise<LiveApiKey[]> {
    const usages = await keyUsages(rows.map(({ id }) => id))
    return rows.map((row) => {
      const { window = null, concurrency = null } = usages.get(row.id) ?? {}
      return { ...row, window, concurrency }
    })
  }

  /** A refusal or nothing stays what it is. */
  async function one<Other extends Fault | null>(row: ApiKeyRecord | Other): Promise<LiveApiKey | Other> {
    if (row === null || isFault(row)) return row
    const [live] = await many([row])
    return live as LiveApiKey
  }

  return { many, one }
}
