import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { checkServer, createDatabase, describeTarget, type Sql } from '../../src/db/client.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

describe('connections', () => {
  test('a server that does not answer is one sentence with its address and without the password (OPS-3)', async () => {
    const attempt = createDatabase({ target: 'postgres://gateway:hunter2@localhost:1/turnpike' })
    const error = (await attempt.catch((reason) => reason)) as Error
    expect(error.message).toStartWith('cannot reach Postgres at localhost:1/turnpike: ')
    expect(error.message).not.toContain('hunter2')
  })

  test('a Postgres older than 14 is refused, naming both versions (OPS-3)', async () => {
    const old = (async () => [{ number: '130012' }]) as unknown as Sql
    await expect(checkServer(old, 'postgres://db.example.com/turnpike')).rejects.toThrow(
      'Postgres 14 or newer is needed; db.example.com/turnpike runs 13',
    )
  })

  test('an address that is no URL is not repeated: it may be a password (OPS-8)', () => {
    expect(describeTarget('hunter2')).toBe('the address in DATABASE_URL')
  })

  test('the raw client reads money as bigint and times as Date, whatever the other client does', async () => {
    const [row] = await database.sql`select 9007199254740993::bigint as nano, '2026-07-24T00:00:00Z'::timestamptz as at`
    expect(row).toEqual({ nano: 9007199254740993n, at: new Date('2026-07-24T00:00:00Z') })
  })

  test('a query of an operator that takes too long is cancelled by the server', async () => {
    const impatient = await createDatabase({ target: database.target, adminTimeoutMs: 20 })
    const error = (await impatient.db.execute('select pg_sleep(5)').catch((reason: unknown) => reason)) as Error
    expect(String((error.cause as Error).message)).toContain('statement timeout')
    await impatient.close()
  })
})
