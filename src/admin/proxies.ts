/** Proxies (REL-5). Name and password are sealed for their proxy and never shown again (ACC-8). */
import type { Static } from '@sinclair/typebox'
import { type Fault, invalid, isFault } from '../core/fault.ts'
import type { ProxyProbeResult, SendProxyProbe } from '../core/probe.ts'
import { openProxyUrl, sealProxyCredentials } from '../db/account-credentials.ts'
import type { Db } from '../db/client.ts'
import type { PageQuery } from '../db/page.ts'
import { deleteProxyById, findProxyById, insertProxy, listProxies, updateProxyById } from '../db/proxies.ts'
import { newId } from '../lib/ids.ts'
import { refuseOutboundUrl } from '../lib/outbound-guard.ts'
import type { Secretbox } from '../lib/secretbox.ts'
import { PUBLIC_BASE_URL } from '../providers/openai-key.ts'
import { ProxyCreate, ProxyPatch, type ProxyRecord, type ProxyRow } from '../schema/proxies.ts'
import { checkProxyUrl } from './account-checks.ts'
import type { Actor } from './actor.ts'
import type { AdminDeps } from './deps.ts'
import { write } from './write.ts'

export type ProxiesAdmin = ReturnType<typeof createProxiesAdmin>

export function createProxiesAdmin(deps: AdminDeps & { access: { probeProxy: SendProxyProbe } }) {
  const { db, box, outbound, access } = deps
  const idOf = ({ id }: ProxyRow) => id

  return {
    list: (query: PageQuery) => listProxies(db, query),
    find: (id: string) => findProxyById(db, id),

    async create(actor: Actor, body: Static<typeof ProxyCreate.schema>): Promise<ProxyRow | Fault | null> {
      const columns = ProxyCreate.read(body)
      if (isFault(columns)) return columns
      const { username, password, ...rest } = columns
      const id = newId()
      const sealed = sealGiven(box, id, { username, password })
      const fault = checkProxyUrl(rest.url, outbound)
      if (fault) return fault
      if (isFault(sealed)) return sealed
      const work = (transaction: Db) => insertProxy(transaction, { ...rest, id, sealedCredentials: sealed ?? null })
      return write(deps, { actor, verb: 'create', kind: 'proxy', changes: body, work, idOf })
    },

    async patch(actor: Actor, id: string, body: Static<typeof ProxyPatch.schema>): Promise<ProxyRow | Fault | null> {
      const columns = ProxyPatch.read(body)
      if (isFault(columns)) return columns
      const { username, password, ...rest } = columns
      const sealed = sealGiven(box, id, { username, password })
      const fault = rest.url === undefined ? null : checkProxyUrl(rest.url, outbound)
      if (fault) return fault
      if (isFault(sealed)) return sealed
      const changes = sealed === undefined ? rest : { ...rest, sealedCredentials: sealed }
      const work = (transaction: Db) => updateProxyById(transaction, id, changes)
      return write(deps, { actor, verb: 'patch', kind: 'proxy', changes: body, work, idOf })
    },

    /** Null: no such proxy. `url` null: a provider's public address, which is where its traffic goes. */
    async test(id: string, url: string | null): Promise<ProxyProbeResult | Fault | null> {
      const proxy = await findProxyById(db, id)
      if (proxy === null) return null
      const refusal = url === null ? null : refuseOutboundUrl(url, outbound)
      if (refusal) return invalid('url', `the URL ${refusal.message}`)
      const proxyUrl = openProxyUrl(box, { id, url: proxy.url, sealed: proxy.sealedCredentials })
      return access.probeProxy(proxyUrl, url ?? PUBLIC_BASE_URL)
    },

    remove(actor: Actor, id: string): Promise<true | Fault | null> {
      const work = async (transaction: Db) => (await deleteProxyById(transaction, id)) || null
      return write(deps, { actor, verb: 'delete', kind: 'proxy', work, idOf: () => id })
    },
  }
}

/** A row as the view shows it: whether it logs in, not how. */
export function toProxyRecord(row: ProxyRow): ProxyRecord {
  return { ...row, hasCredentials: row.sealedCredentials !== null, username: null, password: null }
}

/** Both or none: undefined leaves what is stored, null takes it away. */
function sealGiven(
  box: Secretbox,
  id: string,
  { username, password }: Partial<Pick<ProxyRecord, 'username' | 'password'>>,
): string | null | undefined | Fault {
  if (username === undefined && password === undefined) return undefined
  if (username === null && (password === null || password === undefined)) return null
  if (typeof username !== 'string') return invalid('username', 'username and password are given together')
  if (typeof password !== 'string') return invalid('password', 'username and password are given together')
  return sealProxyCredentials(box, id, { username, password })
}
