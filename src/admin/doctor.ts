/**
 * What can be wrong with an installation, looked at from outside a running gateway (`turnpike doctor`): is the database there and up to date,
 * does Redis answer, is every balance the sum of its entries (BIL-11), are the totals the sums of the records (BIL-12)? Changes nothing.
 *
 * If it fails: what can't be looked at is a finding itself; what comes after it is not looked at.
 */
import { toUsdText } from '../core/money.ts'
import { createDatabase, describeTarget, type Sql, type Target } from '../db/client.ts'
import { findLedgerDrift } from '../db/ledger.ts'
import { listAppliedMigrations } from '../db/migrate.ts'
import { MIGRATIONS } from '../db/migrations.gen.ts'
import { findHourDrift, findRollupDrift, findTotalsDrift, type SumDrift } from '../db/totals-drift.ts'
import { pingRedis } from '../state/redis-client.ts'

export interface Finding {
  what: string
  message: string
  /** What to do about it; null: all is well. */
  advice: string | null
}

const ok = (what: string, message: string): Finding => ({ what, message, advice: null })

export async function examineDatabase(target: Target): Promise<Finding[]> {
  const database = await createDatabase({ target, rawConnections: 1, adminConnections: 1 }).catch(
    (error: Error) => error,
  )
  if (database instanceof Error) {
    const advice = 'start Postgres, or mend DATABASE_URL'
    return [{ what: 'database', message: database.message, advice }]
  }
  try {
    const { sql } = database
    const schema = await examineSchema(sql)
    const reached = ok('database', `reached at ${describeTarget(target)}`)
    return schema.advice === null
      ? [reached, schema, await examineLedger(sql), await examineTotals(sql)]
      : [reached, schema]
  } finally {
    await database.close()
  }
}

export async function examineRedis(url: string | null): Promise<Finding> {
  if (url === null) return ok('redis', 'not set: limits live in each process')
  const fault = await pingRedis(url)
  if (fault === null) return ok('redis', 'answers')
  return { what: 'redis', message: `does not answer: ${fault}`, advice: 'start Redis, or mend REDIS_URL' }
}

async function examineSchema(sql: Sql): Promise<Finding> {
  const what = 'schema'
  const applied = new Set((await listAppliedMigrations(sql)).map(({ name }) => name))
  const missing = MIGRATIONS.filter(({ name }) => !applied.delete(name))
  if (applied.size > 0) {
    const message = `the database is newer than this turnpike (it has ${[...applied].join(', ')})`
    return { what, message, advice: 'use the version of turnpike that migrated it, or a newer one' }
  }
  if (missing.length === 0) return ok(what, `up to date (${MIGRATIONS.length} migrations)`)
  const message = `lacks ${missing.map(({ name }) => name).join(', ')}`
  return { what, message, advice: 'run turnpike migrate' }
}

async function examineLedger(sql: Sql): Promise<Finding> {
  const what = 'ledger'
  const drift = await findLedgerDrift(sql)
  if (drift.length === 0) return ok(what, 'every balance is the sum of its entries')
  const told = drift
    .slice(0, 5)
    .map(
      ({ payer, payerId, balanceNano, entriesNano }) =>
        `${payer} ${payerId} has ${toUsdText(balanceNano)}, entries say ${toUsdText(entriesNano)}`,
    )
  const message = `${drift.length} balances are not the sum of their entries: ${told.join('; ')}`
  return {
    what,
    message,
    advice: 'the entries are the truth: find out what wrote to the balance, then set it to their sum',
  }
}

async function examineTotals(sql: Sql): Promise<Finding> {
  const what = 'totals'
  const drift = [...(await findHourDrift(sql)), ...(await findRollupDrift(sql)), ...(await findTotalsDrift(sql))]
  if (drift.length === 0) return ok(what, 'usage totals are the sums of the usage records')
  const message = `usage totals are not the sums of the usage records: ${drift.slice(0, 5).map(tell).join('; ')}`
  return { what, message, advice: 'reports and limits of these are off: find out what wrote to the usage tables' }
}

function tell({ of, requests, costNano }: SumDrift): string {
  const [stored, counted] = [toUsdText(costNano.stored), toUsdText(costNano.counted)]
  return `${of} has ${requests.stored} requests for ${stored} USD, counted are ${requests.counted} for ${counted}`
}
