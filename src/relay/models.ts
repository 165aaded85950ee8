/**
 * What models a key can reach (ACC-2): the names in the accounts' mappings and, for accounts without one, the upstream's own list (kept for an
 * hour), else the names that have a price. Answered in the shape of the asking client.
 *
 * If it fails: an upstream that does not answer its list in time is passed over; the priced names stand in.
 */
import { deny, isDenial } from '../core/denial.ts'
import type { Account } from '../core/entities.ts'
import { mayReach } from '../core/key.ts'
import { compileMapping } from '../core/model-mapping.ts'
import type { Platform } from '../core/platform.ts'
import type { Credentials } from '../credentials/credentials.ts'
import { newId } from '../lib/ids.ts'
import { createLru } from '../lib/lru.ts'
import { providerFor } from '../providers/table.ts'
import { platformPool } from '../state/directory.ts'
import { authenticate, type Caller, type FindKeyDeps } from './authenticate.ts'
import type { Call } from './exchange.ts'
import { denialResponse } from './respond.ts'
import type { Upstream } from './upstream.ts'

export interface ModelsDeps extends FindKeyDeps {
  upstream: Upstream
  credentials: Credentials
  simple: boolean
  nowMs(): number
  /** Somebody was turned away for their key; the denial's code. */
  onUnauthenticated(code: string): void
  /** Names in the price table. */
  pricedModels(platform: Platform): readonly string[]
}

const LIST_KEPT_MS = 3_600_000
const LIST_TIMEOUT_MS = 5_000
const MOST_LIST_BYTES = 4_194_304
/** Upstreams asked for one answer; an operator with more base URLs than this sees the first ones' models. */
const MOST_LISTS = 10

export interface Models {
  /** `id` null: the list; else one model. */
  answer(call: Call, id: string | null): Promise<Response>
}

export function createModels(deps: ModelsDeps): Models {
  const lists = createLru<string, { names: string[]; untilMs: number }>(1000)

  async function upstreamNames(account: Account): Promise<string[]> {
    const provider = providerFor(account.platform, account.type)
    if (!provider?.modelList) return []
    const url = provider.modelList.url(account)
    const known = lists.get(url)
    if (known && known.untilMs > deps.nowMs()) return known.names
    const names = await fetchNames(deps, account, url).catch(() => [])
    // An empty answer is asked again after a minute, not after an hour.
    lists.set(url, { names, untilMs: deps.nowMs() + (names.length > 0 ? LIST_KEPT_MS : 60_000) })
    return names
  }

  async function reachable(caller: Caller, platform: Platform): Promise<string[]> {
    const names = new Set<string>()
    const urls = new Set<string>()
    for (const kind of deps.directory.pool.kinds(caller.group?.id ?? platformPool(platform))) {
      if (!mayReach(caller.policy.key, kind.sample.platform)) continue
      const mapping = kind.sample.modelMapping
      if (Object.keys(mapping).length > 0) {
        for (const name of mappedNames(mapping, deps.pricedModels(kind.sample.platform))) names.add(name)
      } else if (kind.ready) {
        const provider = providerFor(kind.ready.platform, kind.ready.type)
        if (provider?.envelope) {
          for (const name of provider.envelope.models) names.add(name)
          continue
        }
        const url = provider?.modelList?.url(kind.ready) ?? ''
        if (urls.has(url) || urls.size >= MOST_LISTS) continue
        urls.add(url)
        const listed = await upstreamNames(kind.ready)
        for (const name of listed.length > 0 ? listed : deps.pricedModels(platform)) names.add(name)
      }
    }
    return [...names].filter((name) => caller.policy.modelAllowed(name)).sort()
  }

  return {
    async answer(call, id) {
      const requestId = newId()
      const caller = authenticate({ ...deps, recordClientIp: false }, call, deps.nowMs())
      if (isDenial(caller)) {
        deps.onUnauthenticated(caller.code)
        return denialResponse(call.protocol, caller, requestId)
      }
      const names = await reachable(caller, call.protocol.platform)
      if (id !== null && !names.includes(id)) {
        return denialResponse(call.protocol, deny('model_not_found', `Model not found: ${id.slice(0, 200)}`), requestId)
      }
      const body = id === null ? call.protocol.modelList(names.map(toModel)) : call.protocol.modelObject(toModel(id))
      return Response.json(body, { headers: { 'x-turnpike-request-id': requestId } })
    },
  }
}

/** Names that end in `*` can't be listed: the priced names that they cover stand for them. */
function mappedNames(mapping: Readonly<Record<string, string>>, priced: readonly string[]): string[] {
  const plain = Object.keys(mapping).filter((name) => !name.endsWith('*'))
  const patterns = compileMapping(Object.fromEntries(Object.entries(mapping).filter(([name]) => name.endsWith('*'))))
  return plain.length === Object.keys(mapping).length
    ? plain
    : [...plain, ...priced.filter((name) => patterns.map(name) !== null)]
}

/** Upstream lists do not agree on dates and owners; a fixed one keeps the answer the same from call to call. */
const toModel = (id: string) => ({ id, createdAtMs: 1_700_000_000_000, ownedBy: 'turnpike' })

async function fetchNames(deps: ModelsDeps, account: Account, url: string): Promise<string[]> {
  const provider = providerFor(account.platform, account.type)
  const secret = await deps.credentials.secretOf(account)
  if (!provider?.modelList || secret === null) return []
  const headers = { ...provider.defaultHeaders, accept: 'application/json', ...provider.authorize(account, secret) }
  const proxyUrl = account.proxy?.url ?? null
  const call = deps.upstream.send({ url, method: 'GET', headers, body: null, proxyUrl })
  const timer = setTimeout(() => call.abort('model list timed out'), LIST_TIMEOUT_MS)
  try {
    const answer = await call.answer
    const body = await answer.body.bytes(MOST_LIST_BYTES)
    return answer.status === 200 ? provider.modelList.ids(JSON.parse(new TextDecoder().decode(body))) : []
  } finally {
    clearTimeout(timer)
  }
}
