/**
 * Who is asking: reads the key from where clients put it (KEY-2), looks it up in memory (KEY-3) and checks what needs no body (KEY-4).
 * Never awaits. A refusal here leaves no receipt: nobody is known yet.
 */
import { type Denial, deny, isDenial } from '../core/denial.ts'
import type { Group, User } from '../core/entities.ts'
import { checkKey, type KeyPolicy, mayReach } from '../core/key.ts'
import type { Platform } from '../core/platform.ts'
import type { Directory } from '../state/directory.ts'
import type { KeyAttempts } from '../state/key-attempts.ts'
import type { Call } from './exchange.ts'

export interface Caller {
  policy: KeyPolicy
  user: User | null
  group: Group | null
  userAgent: string
  address: string | null
}

/** What finding a key by its secret needs. */
export interface FindKeyDeps {
  directory: Directory
  keyAttempts: KeyAttempts
}

export interface AuthenticateDeps extends FindKeyDeps {
  simple: boolean
  recordClientIp: boolean
}

/** Keys longer than this are nobody's: they are not even hashed (OPS-11). */
const LONGEST_KEY = 512

/** `authorization: Bearer`, `x-api-key`, `x-goog-api-key`, then the query's `key` (KEY-2). */
function readKey(headers: Headers, queryKey: string | null): string | null {
  const authorization = headers.get('authorization')
  if (authorization && authorization.length > 7 && authorization.slice(0, 7).toLowerCase() === 'bearer ') {
    return authorization.slice(7).trim()
  }
  return headers.get('x-api-key') ?? headers.get('x-goog-api-key') ?? queryKey
}

export function authenticate(deps: AuthenticateDeps, call: Call, nowMs: number): Caller | Denial {
  const policy = findKey(deps, call)
  if (isDenial(policy)) return policy
  const user = policy.key.userId === null ? null : deps.directory.findUser(policy.key.userId)
  const group = deps.simple ? null : groupOf(deps.directory, policy, call)
  const platform = platformFor(call, policy, group)
  const userAgent = call.request.headers.get('user-agent') ?? ''
  const address = policy.checksIp || deps.recordClientIp ? call.address() : null
  const denial = checkKey({ policy, user, group, platform, nowMs, userAgent, address })
  return denial ?? { policy, user, group, userAgent, address }
}

/** Messages are served by groups of Anthropic and of Bedrock: the group decides; without one, what the key may reach. */
function platformFor({ protocol }: Call, { key }: KeyPolicy, group: Group | null): Platform {
  const { platform, platforms } = protocol
  if (group) return platforms.includes(group.platform) ? group.platform : platform
  for (const candidate of platforms) if (mayReach(key, candidate)) return candidate
  return platform
}

/** The key that the request carries, as it is known here; nothing about it is checked yet. Repeated wrong ones are slowed (KEY-14). */
export function findKey({ directory, keyAttempts }: FindKeyDeps, call: Call): KeyPolicy | Denial {
  const secret = readKey(call.request.headers, call.queryKey)
  if (!secret) {
    return deny('missing_api_key', 'No API key was given. Send it as "authorization: Bearer <key>" or "x-api-key".')
  }
  const policy = secret.length > LONGEST_KEY ? null : directory.findKeyBySecret(secret)
  return policy ?? keyAttempts.refuse(call.address())
}

/** The key's own group, else the platform's default one (ACC-12): one key may so reach every platform. */
function groupOf(directory: Directory, policy: KeyPolicy, call: Call): Group | null {
  if (policy.key.groupId !== null) return directory.findGroup(policy.key.groupId)
  return directory.findDefaultGroup(call.protocol.platform)
}
