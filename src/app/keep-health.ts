/**
 * Writes what the relay learns about accounts where operators and other instances see it (ACC-6, ACC-11): cooldowns with cause and source,
 * errors, subscription windows. Off the request path, gathered per account for a moment: a busy account sends its windows with every answer.
 *
 * If it fails: it is tried again; until then this instance alone knows.
 */
import { type AccountBlock, toStoredBlock } from '../core/account-block.ts'
import { type AccountSnapshot, toExtra } from '../core/snapshot.ts'
import { updateAccountStateById } from '../db/accounts.ts'
import type { Db } from '../db/client.ts'
import { createBatch } from '../lib/batch.ts'
import type { Log } from '../lib/log.ts'
import type { Stack } from '../lib/stack.ts'
import type { HealthChange } from '../state/health.ts'

export interface HealthKeeper {
  note(change: HealthChange): void
}

export interface HealthKeeperDeps {
  db: Db
  log: Log
  stack: Stack
  /** How long changes are gathered. */
  everyMs: number
  /** All live blocks of an account. */
  blocksOf(accountId: string): readonly AccountBlock[]
  /** How an account's snapshot fields are named; null: it is gone. */
  prefixOf(accountId: string): string | null
}

export async function openHealthKeeper(deps: HealthKeeperDeps): Promise<HealthKeeper> {
  const start = () =>
    createBatch<HealthChange>({
      mostItems: 10_000,
      everyMs: deps.everyMs,
      write: (changes) => writeChanges(deps, changes),
      onFailure: (error) => deps.log.error('the state of accounts could not be written; it is tried again', { error }),
    })
  const batch = await deps.stack.use('state of accounts', start, async (opened) => void (await opened.close(1)))
  return {
    note(change) {
      if (change.block) logBlock(deps.log, change.accountId, change.block)
      batch.add(change)
    },
  }
}

async function writeChanges(deps: HealthKeeperDeps, changes: readonly HealthChange[]): Promise<void> {
  for (const [accountId, list] of Map.groupBy(changes, (change) => change.accountId)) {
    const snapshot = list.findLast((change) => change.snapshot)?.snapshot ?? null
    await updateAccountStateById(deps.db, accountId, {
      ...columnsOf(deps.blocksOf(accountId)),
      extra: extraOf(deps, accountId, snapshot),
    })
  }
}

/**
 * The latest end of each cause; an error is a status of its own. What is not blocked here is left as it is stored: times pass by themselves,
 * and another instance, or an operator's pause, may have set them.
 */
function columnsOf(blocks: readonly AccountBlock[]) {
  const until = (column: UntilColumn, ...causes: AccountBlock['cause'][]) => {
    const times = blocks
      .filter((block) => block.family === null && causes.includes(block.cause))
      .map((block) => block.untilMs ?? 0)
    return times.length === 0 ? {} : { [column]: new Date(Math.max(...times)) }
  }
  const error = blocks.find((block) => block.cause === 'error')
  return {
    ...until('rateLimitedUntil', 'rate_limited'),
    ...until('overloadedUntil', 'overloaded'),
    ...until('unschedulableUntil', 'cooling_down', 'broken'),
    ...(error ? { status: 'error' as const, errorMessage: error.message ?? error.source } : {}),
  }
}

type UntilColumn = 'rateLimitedUntil' | 'overloadedUntil' | 'unschedulableUntil'

function extraOf(deps: HealthKeeperDeps, accountId: string, snapshot: AccountSnapshot | null) {
  const prefix = deps.prefixOf(accountId)
  return {
    ...(snapshot && prefix !== null ? toExtra(snapshot, prefix) : {}),
    blocks: deps.blocksOf(accountId).map(toStoredBlock),
  }
}

function logBlock(log: Log, accountId: string, block: AccountBlock): void {
  const until = block.untilMs === null ? null : new Date(block.untilMs).toISOString()
  log.warn('account is out', { accountId, cause: block.cause, source: block.source, family: block.family, until })
}
