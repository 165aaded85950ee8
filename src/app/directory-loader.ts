/** Brings the directory (state) and the database together: which rows it reads, and which changes it hears of (KEY-3). */

import type { Sql } from '../db/client.ts'
import { loadDirectory, loadOne } from '../db/directory.ts'
import type { Secretbox } from '../lib/secretbox.ts'
import type { DirectoryLoader } from '../state/directory.ts'

export function createDirectoryLoader(sql: Sql, box: Secretbox): DirectoryLoader {
  return {
    async loadAll() {
      const { users, groups, keys, accounts, subscriptions } = await loadDirectory(sql, box)
      return { users, groups, keys, accounts, subscriptions }
    },
    loadUser: (id) => loadOne(sql, box, { kind: 'user', id }),
    loadGroup: (id) => loadOne(sql, box, { kind: 'group', id }),
    loadKey: (id) => loadOne(sql, box, { kind: 'key', id }),
    loadSubscription: (id) => loadOne(sql, box, { kind: 'subscription', id }),
    loadAccount: (id) => loadOne(sql, box, { kind: 'account', id }),
  }
}
