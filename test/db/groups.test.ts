import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { findAccountById } from '../../src/db/accounts.ts'
import { deleteApiKeyById } from '../../src/db/api-keys.ts'
import { insertDefaultGroups } from '../../src/db/bootstrap.ts'
import {
  deleteGroupById,
  findGroupById,
  findGroupByName,
  insertGroup,
  listGroups,
  updateGroupById,
} from '../../src/db/groups.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { granted, seedAccount, seedGroup, seedKey, seedUser } from '../support/seed.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

describe('default groups', () => {
  test('eight instances starting at once make each of the three once; the next start makes none (ACC-12)', async () => {
    const { db } = database
    const made = await Promise.all(Array.from({ length: 8 }, () => insertDefaultGroups(db)))
    expect(made.flat().sort()).toEqual(['anthropic-default', 'gemini-default', 'openai-default'])
    expect(await insertDefaultGroups(db)).toEqual([])
    expect(await findGroupByName(db, 'openai-default')).toMatchObject({
      platform: 'openai',
      status: 'active',
      exclusive: false,
      isDefault: true,
      billingType: 'standard',
      rateMultiplier: 1_000_000,
      dailyLimitNano: null,
      weeklyLimitNano: null,
      monthlyLimitNano: null,
    })
  })

  test('one that was renamed stays the default: no second is made (ACC-12)', async () => {
    const { db } = database
    const group = granted(await findGroupByName(db, 'gemini-default'))
    granted(await updateGroupById(db, group.id, { name: 'my gemini' }))
    expect(await insertDefaultGroups(db)).toEqual([])
    expect(granted(await listGroups(db, { limit: 10, platform: 'gemini' })).rows.map(({ id }) => id)).toEqual([
      group.id,
    ])
  })

  test('a new account without a group joins its platform’s default group (ACC-12)', async () => {
    const { db } = database
    const anthropic = granted(await findGroupByName(db, 'anthropic-default'))
    expect((await seedAccount(db, { platform: 'anthropic' })).groupIds).toEqual([anthropic.id])
    expect((await seedAccount(db, { platform: 'bedrock', type: 'aws' })).groupIds).toEqual([])
  })

  test('a default group cannot be deleted (ACC-12)', async () => {
    const group = granted(await findGroupByName(database.db, 'openai-default'))
    expect(await deleteGroupById(database.db, group.id)).toMatchObject({ fault: 'conflict' })
    expect(await findGroupById(database.db, group.id)).not.toBeNull()
  })
})

describe('groups', () => {
  test('names are unique among living groups (contract)', async () => {
    const { db } = database
    const group = await seedGroup(db, { name: 'research' })
    expect(await insertGroup(db, { name: 'research', platform: 'gemini' })).toMatchObject({
      fault: 'conflict',
      field: 'name',
    })
    expect(await deleteGroupById(db, group.id)).toBe(true)
    expect((await seedGroup(db, { name: 'research' })).name).toBe('research')
  })

  test('users of an exclusive group are replaced as a whole, and must exist (ACC-12)', async () => {
    const { db } = database
    const [ada, grace] = [await seedUser(db), await seedUser(db)]
    const group = await seedGroup(db, { exclusive: true, userIds: [ada.id, grace.id, ada.id] })
    expect(group.userIds).toEqual([ada.id, grace.id].sort())
    expect(granted(await updateGroupById(db, group.id, { userIds: [grace.id] })).userIds).toEqual([grace.id])

    const nobody = '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e10'
    const refused = await updateGroupById(db, group.id, { name: 'renamed', userIds: [nobody] })
    expect(refused).toEqual({ fault: 'invalid', field: 'user_ids', message: `there is no user ${nobody}` })
    expect(await findGroupById(db, group.id)).toMatchObject({ name: group.name, userIds: [grace.id] })
  })

  test('a fallback is another living group of the same platform, and never leads back (ACC-12)', async () => {
    const { db } = database
    const first = await seedGroup(db)
    const second = await seedGroup(db, { fallbackGroupId: first.id })
    const third = await seedGroup(db, { fallbackGroupId: second.id })
    const gemini = await seedGroup(db, { platform: 'gemini' })
    for (const fallbackGroupId of [third.id, second.id, first.id])
      expect(await updateGroupById(db, first.id, { fallbackGroupId })).toMatchObject({
        field: 'fallback_group_id',
        message: 'the fallback groups would form a circle',
      })
    expect(await updateGroupById(db, first.id, { fallbackGroupId: gemini.id })).toMatchObject({
      field: 'fallback_group_id',
    })
    expect(granted(await updateGroupById(db, third.id, { fallbackGroupId: first.id })).fallbackGroupId).toBe(first.id)
  })

  test('a group in use is not deleted, and the refusal says by what (contract)', async () => {
    const { db } = database
    const group = await seedGroup(db)
    const keys = [await seedKey(db, { groupId: group.id }), await seedKey(db, { groupId: group.id })]
    const other = await seedGroup(db, { fallbackGroupId: group.id })
    expect(await deleteGroupById(db, group.id)).toEqual({
      fault: 'conflict',
      field: null,
      message: `group ${group.name} is in use by 2 API keys, 1 group that falls back to it`,
    })
    for (const key of keys) await deleteApiKeyById(db, key.id)
    await deleteGroupById(db, other.id)
    expect(await deleteGroupById(db, group.id)).toBe(true)
    expect(await findGroupById(db, group.id)).toBeNull()
  })

  test('deleting a group only unlinks its accounts (contract)', async () => {
    const { db } = database
    const group = await seedGroup(db)
    const account = await seedAccount(db, { groupIds: [group.id] })
    expect(await deleteGroupById(db, group.id)).toBe(true)
    expect((await findAccountById(db, account.id))?.groupIds).toEqual([])
  })
})
