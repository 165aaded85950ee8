/**
 * What an operator does with an account's access to its platform: sign in for a new one, refresh its token, send a tiny request through it
 * (ACC-10, ACC-15). The account is read from the database each time: what an operator asks about is what is stored now.
 */
import type { Account, AccountCredentials } from '../core/entities.ts'
import { conflict, type Fault, invalid, isFault } from '../core/fault.ts'
import { PLATFORMS, type Platform } from '../core/platform.ts'
import type { ProbeResult, SendProbe, SendProxyProbe } from '../core/probe.ts'
import type { Credentials } from '../credentials/credentials.ts'
import type { SignIn } from '../credentials/sign-in.ts'
import { openProxyUrl } from '../db/account-credentials.ts'
import { insertAuditEntry } from '../db/audit-log.ts'
import { findProxyById } from '../db/proxies.ts'
import { checkReferences } from '../db/references.ts'
import type { AccountRecord } from '../schema/accounts.ts'
import type { AccountsAdmin } from './accounts.ts'
import type { Actor } from './actor.ts'
import type { AdminDeps } from './deps.ts'

/** Given by the composition root: how this process reaches platforms. */
export interface AccountAccess {
  credentials: Pick<Credentials, 'refreshNow'>
  signIn: SignIn
  findAccount(id: string): Promise<Account | null>
  probe: SendProbe
  probeProxy: SendProxyProbe
}

export interface RefreshResult {
  ok: boolean
  expiresAt: Date | null
  /** Why not. */
  message: string | null
}

export interface ExchangeBody {
  code: string
  state: string
  name?: string
  group_ids?: string[]
  proxy_id?: string | null
}

export type AccountAccessAdmin = ReturnType<typeof createAccountAccessAdmin>

export function createAccountAccessAdmin(
  deps: AdminDeps & { access: AccountAccess; accounts: Pick<AccountsAdmin, 'create'> },
) {
  const { access, accounts } = deps

  return {
    /** Null: no such account. */
    async test(id: string, model: string | null): Promise<ProbeResult | Fault | null> {
      const account = await access.findAccount(id)
      if (account === null) return null
      const result = await access.probe(account, model)
      return result ?? conflict(null, `an account of ${account.platform} by ${account.type} can't be tested`)
    },

    async refresh(actor: Actor, id: string): Promise<RefreshResult | Fault | null> {
      const account = await access.findAccount(id)
      if (account === null) return null
      if (account.type !== 'oauth') return conflict(null, 'only OAuth accounts have tokens to refresh')
      const result = await access.credentials.refreshNow(account)
      await audit(deps, actor, id)
      if (result.kind === 'failed') return { ok: false, expiresAt: null, message: result.message }
      const { expiresAtMs } = result.credentials
      return { ok: true, expiresAt: typeof expiresAtMs === 'number' ? new Date(expiresAtMs) : null, message: null }
    },

    /** Null: no such platform. */
    async authorize(platform: string): Promise<{ authorizeUrl: string; state: string } | Fault | null> {
      return isPlatform(platform) ? access.signIn.begin(platform) : null
    },

    /** The code that came back → an account. */
    async exchange(actor: Actor, platform: string, body: ExchangeBody): Promise<AccountRecord | Fault | null> {
      if (!isPlatform(platform)) return null
      const { code, state, name, group_ids, proxy_id = null } = body
      const proxyUrl = proxy_id === null ? null : await proxyUrlOf(deps, proxy_id)
      if (isFault(proxyUrl)) return proxyUrl
      // Before the code is spent: after it, a wish that is refused would cost the person another sign-in.
      const fault = await checkReferences(deps.db, [
        { field: 'group_ids', kind: 'group', ids: group_ids ?? [], platform },
      ])
      if (fault !== null) return fault
      const credentials = await access.signIn.finish(platform, { code, state, proxyUrl })
      if (isFault(credentials)) return credentials
      return accounts.create(actor, {
        name: name ?? `${platform} ${new Date(deps.clock.nowMs()).toISOString().slice(0, 10)}`,
        platform,
        type: 'oauth',
        credentials: toBody(credentials),
        proxy_id,
        ...(group_ids === undefined ? {} : { group_ids }),
      })
    },
  }
}

function isPlatform(text: string): text is Platform {
  return (PLATFORMS as readonly string[]).includes(text)
}

/** The exchange of the code goes the way of all the account's traffic (REL-5). */
async function proxyUrlOf({ db, box }: AdminDeps, id: string): Promise<string | Fault> {
  const proxy = await findProxyById(db, id)
  if (proxy === null) return invalid('proxy_id', 'there is no such proxy')
  if (proxy.status === 'disabled') return invalid('proxy_id', 'this proxy is disabled')
  return openProxyUrl(box, { id, url: proxy.url, sealed: proxy.sealedCredentials })
}

function toBody({ accessToken, refreshToken, expiresAtMs, chatgptAccountId }: AccountCredentials) {
  return {
    ...(accessToken === undefined ? {} : { access_token: accessToken }),
    ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
    ...(typeof expiresAtMs === 'number' ? { expires_at: new Date(expiresAtMs).toISOString() } : {}),
    ...(chatgptAccountId === undefined ? {} : { chatgpt_account_id: chatgptAccountId }),
  }
}

/** The write itself is the refresh's own transaction; this says who asked (OPS-9). */
async function audit({ db }: AdminDeps, actor: Actor, id: string): Promise<void> {
  const about = { resource: 'account', resourceId: id, changes: {}, clientIp: actor.clientIp }
  await insertAuditEntry(db, { actor: actor.name, action: 'account.refresh', ...about })
}
