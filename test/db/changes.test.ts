import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Change, listenForChanges, notifyChange } from '../../src/db/changes.ts'
import { changeBalance } from '../../src/db/ledger.ts'
import { deleteUserById, insertUser, updateUserById } from '../../src/db/users.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { seedKey, seedUser } from '../support/seed.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

/** Collects what is heard; `until` resolves when the condition first holds. */
function createEar() {
  const heard: Change[] = []
  let reconnects = 0
  let check = () => {}
  return {
    heard,
    reconnects: () => reconnects,
    listener: {
      onChange(change: Change) {
        heard.push(change)
        check()
      },
      onReconnect() {
        reconnects++
        check()
      },
    },
    until: (condition: () => boolean) =>
      new Promise<void>((resolve) => {
        check = () => condition() && resolve()
        check()
      }),
  }
}

describe('change notification', () => {
  test('each write tells every instance what changed, once it is visible (KEY-3)', async () => {
    const { db, sql } = database
    const ear = createEar()
    const stop = await listenForChanges(sql, ear.listener)
    const user = await seedUser(db)
    const key = await seedKey(db, { userId: user.id })
    await updateUserById(db, user.id, { status: 'disabled' })
    await changeBalance(db, { payer: 'user', payerId: user.id, amountNano: 1n, kind: 'top_up', actor: 'root' })
    await deleteUserById(db, user.id)
    await ear.until(() => ear.heard.length >= 6)
    expect(ear.heard).toEqual([
      { kind: 'user', id: user.id },
      { kind: 'key', id: key.id },
      { kind: 'user', id: user.id },
      { kind: 'user', id: user.id },
      { kind: 'user', id: user.id },
      { kind: 'key', id: key.id },
    ])
    await stop()
  })

  test('a write that was rolled back or refused is not told (KEY-3)', async () => {
    const { db, sql } = database
    const ear = createEar()
    const user = await seedUser(db)
    const stop = await listenForChanges(sql, ear.listener)
    await db
      .transaction(async (transaction) => {
        await updateUserById(transaction, user.id, { username: 'x' })
        transaction.rollback()
      })
      .catch(() => {})
    await insertUser(db, { email: user.email }, 'root')
    await notifyChange(db, 'setting', 'last:one')
    await ear.until(() => ear.heard.length > 0)
    expect(ear.heard).toEqual([{ kind: 'setting', id: 'last:one' }])
    await stop()
  })

  test('what another version says and this one does not know is passed over', async () => {
    const { db, sql } = database
    const ear = createEar()
    const stop = await listenForChanges(sql, ear.listener)
    await sql`select pg_notify('turnpike_changes', 'galaxy:1')`
    await sql`select pg_notify('turnpike_changes', 'nonsense')`
    await notifyChange(db, 'price', 'gpt-5')
    await ear.until(() => ear.heard.length > 0)
    expect(ear.heard).toEqual([{ kind: 'price', id: 'gpt-5' }])
    await stop()
  })

  test('after a lost connection it listens again and says that changes may have been missed (KEY-3, OPS-5)', async () => {
    const { db, sql } = database
    const ear = createEar()
    const stop = await listenForChanges(sql, ear.listener)
    expect(ear.reconnects()).toBe(0)
    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and query ilike 'listen%' and pid <> pg_backend_pid()`
    await ear.until(() => ear.reconnects() === 1)
    await notifyChange(db, 'price', 'gpt-5')
    await ear.until(() => ear.heard.length > 0)
    expect(ear.heard).toEqual([{ kind: 'price', id: 'gpt-5' }])
    await stop()
  })
})
