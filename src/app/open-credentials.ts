/** Puts together what turns accounts into secrets: the locked rows, the platforms' OAuth facts with the operator's settings, sign-ins. */
import type { Config } from '../config.ts'
import type { Account } from '../core/entities.ts'
import { type Credentials, createCredentials } from '../credentials/credentials.ts'
import { createSignIn, type PendingSignIn, type PendingSignIns, type SignIn } from '../credentials/sign-in.ts'
import { createTokenEndpoint } from '../credentials/token-endpoint.ts'
import { withAccountLocked } from '../db/account-lock.ts'
import type { Database, Db } from '../db/client.ts'
import { loadOne } from '../db/directory.ts'
import {
  countSealedValuesByPrefix,
  deleteExpiredSealedValues,
  insertSealedValue,
  takeSealedValue,
} from '../db/sealed-values.ts'
import { systemClock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { OutboundGate } from '../lib/outbound-gate.ts'
import type { Secretbox } from '../lib/secretbox.ts'
import { createSemaphore } from '../lib/semaphore.ts'
import { createOauthTable } from '../providers/oauth/table.ts'
import { toOauthOverrides } from './oauth-overrides.ts'

export interface OpenedCredentials {
  credentials: Credentials
  signIn: SignIn
  /** As it is stored now. */
  findAccount(id: string): Promise<Account | null>
}

export interface CredentialsInput {
  config: Config
  database: Pick<Database, 'db' | 'sql'>
  box: Secretbox
  log: Log
  onStored(accountId: string): void | Promise<void>
  gate: OutboundGate
}

/**
 * Each holds one of six connections for operators while a platform answers. One more than the background takes, so that a request which waits for
 * its token never waits for all the others'.
 */
const MOST_LOCKS = 4

export function openCredentials({ config, database, box, log, onStored, gate }: CredentialsInput): OpenedCredentials {
  const { db, sql } = database
  const { nowMs } = systemClock
  const oauth = createOauthTable(toOauthOverrides(config))
  const requestTokens = createTokenEndpoint({ gate })
  const locks = createSemaphore(MOST_LOCKS)
  return {
    credentials: createCredentials({
      store: { locked: (accountId, work) => locks.run(() => withAccountLocked({ db, box }, accountId, work)) },
      oauth,
      requestTokens,
      nowMs,
      onStored,
      log,
    }),
    signIn: createSignIn({ pending: createPendingSignIns(db, box, nowMs), oauth, requestTokens, nowMs }),
    findAccount: (id) => loadOne(sql, box, { kind: 'account', id }),
  }
}

/** An operator begins one at a time; more than this is a program gone wild. */
const MOST_PENDING = 1000
const PREFIX = 'oauth sign-in '

function createPendingSignIns(db: Db, box: Secretbox, nowMs: () => number): PendingSignIns {
  return {
    async put(state, pending, untilMs) {
      await deleteExpiredSealedValues(db, new Date(nowMs()))
      if ((await countSealedValuesByPrefix(db, PREFIX)) >= MOST_PENDING) return false
      const value = JSON.stringify(pending)
      await insertSealedValue(db, box, { name: PREFIX + state, value, expiresAt: new Date(untilMs) })
      return true
    },
    async take(state) {
      const text = await takeSealedValue(db, box, { name: PREFIX + state, now: new Date(nowMs()) })
      return text === null ? null : (JSON.parse(text) as PendingSignIn)
    },
  }
}
