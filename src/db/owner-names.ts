/** Names of users, keys, accounts and groups. Rows stay when their owner is deleted, so that reports go on naming them (KEY-12). */
import { sql } from 'drizzle-orm'
import type { RollupScope } from '../schema/usage-rollups.ts'
import type { Db } from './client.ts'
import { asId } from './page.ts'

export type Owner = Exclude<RollupScope, 'all'>

export const OWNER_TABLES: Record<Owner, { table: string; name: string }> = {
  user: { table: 'users', name: 'username' },
  key: { table: 'api_keys', name: 'name' },
  account: { table: 'accounts', name: 'name' },
  group: { table: 'groups', name: 'name' },
}

/** Null: there never was one with this id. */
export async function findOwnerName(db: Db, owner: Owner, id: string): Promise<string | null> {
  const { table, name } = OWNER_TABLES[owner]
  const [row] = await db.execute(
    sql`select ${sql.identifier(name)} as name from ${sql.identifier(table)} where id = ${asId(id)}::uuid`,
  )
  return (row as { name: string } | undefined)?.name ?? null
}
