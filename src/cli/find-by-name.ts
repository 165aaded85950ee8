/** People type names, the database wants ids: users by e-mail address or id, groups by name or id. */
import type { Admin } from '../admin/admin.ts'
import { isFault } from '../core/fault.ts'
import { CommandFault } from './command.ts'

export async function findUserId(admin: Admin, text: string): Promise<string> {
  const found = (await admin.users.find(text)) ?? (await admin.users.findByEmail(text))
  if (found === null) throw new CommandFault(`there is no user "${text}": give an id or an e-mail address`)
  return found.id
}

export async function findGroupId(admin: Admin, text: string): Promise<string> {
  const found = (await admin.groups.find(text)) ?? (await admin.groups.findByName(text))
  if (found === null) throw new CommandFault(`there is no group "${text}": give an id or a name`)
  return found.id
}

/** Every row of a list, page by page. */
export async function allRows<Row>(
  list: (query: {
    limit: number
    cursor: string | null
  }) => Promise<{ rows: Row[]; nextCursor: string | null } | object>,
): Promise<Row[]> {
  const rows: Row[] = []
  let cursor: string | null = null
  do {
    const page = await list({ limit: 1000, cursor })
    if (isFault(page)) throw new CommandFault(page.message)
    const { rows: more, nextCursor } = page as { rows: Row[]; nextCursor: string | null }
    rows.push(...more)
    cursor = nextCursor
  } while (cursor !== null)
  return rows
}
