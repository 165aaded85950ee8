/**
 * May this key do this now? Everything about a key that needs no counters (KEY-4, KEY-5): who it is, whom it may reach, from where.
 * Pure: the caller passes time, address and user agent. Refusals say what a person can do about it.
 */

import { compileCidrs } from '../lib/ip-address.ts'
import { compileClientList } from './client.ts'
import { type Denial, deny } from './denial.ts'
import type { ApiKey, Group, Permission, User } from './entities.ts'
import { compileModelList } from './model-mapping.ts'
import type { Platform } from './platform.ts'

/** A key with its lists compiled once, not per request. */
export interface KeyPolicy {
  key: ApiKey
  modelAllowed(model: string): boolean
  clientAllowed(userAgent: string): boolean
  ipAllowed(address: string): boolean
  /** Must the caller's address be found out at all? */
  checksIp: boolean
}

export function compileKey(key: ApiKey): KeyPolicy {
  const listed = compileModelList(key.models)
  const client = compileClientList(key.clients)
  const allowed = compileCidrs(key.ipAllow)
  const denied = compileCidrs(key.ipDeny)
  return {
    key,
    modelAllowed: (model) => key.modelRestriction === 'off' || listed(model) === (key.modelRestriction === 'allow'),
    clientAllowed: (userAgent) => !key.clientRestriction || client(userAgent),
    ipAllowed: (address) => !denied(address) && (key.ipAllow.length === 0 || allowed(address)),
    checksIp: key.ipAllow.length > 0 || key.ipDeny.length > 0,
  }
}

const PERMISSION_OF: Readonly<Record<Platform, Permission>> = {
  openai: 'openai',
  anthropic: 'claude',
  gemini: 'gemini',
  bedrock: 'bedrock',
}

/** Has the key the permission for a platform's accounts (KEY-5)? */
export function mayReach({ permissions }: Pick<ApiKey, 'permissions'>, platform: Platform): boolean {
  return permissions.includes('all') || permissions.includes(PERMISSION_OF[platform])
}

export interface KeyCheck {
  policy: KeyPolicy
  /** Null: the key belongs to nobody (standalone) . */
  user: User | null
  /** The group that would serve this request; null when there is none (run mode simple, or none exists). */
  group: Group | null
  /** Whose accounts would serve it: the group's platform, where the endpoint's protocol can be served from there. */
  platform: Platform
  nowMs: number
  userAgent: string
  /** Null when the key does not check it. */
  address: string | null
}

/** Who-are-you first, then not-allowed; the model is checked later, once the body was read (`checkModel`). */
export function checkKey(input: KeyCheck): Denial | null {
  const { policy, user, group, platform } = input
  const { key } = policy
  const holderDenial = checkHolder(policy, user, input.nowMs)
  if (holderDenial) return holderDenial
  if (!mayReach(key, platform)) {
    return deny('platform_not_allowed', `This API key has no permission for ${PERMISSION_OF[platform]} endpoints.`)
  }
  const groupDenial = checkGroup(group, user, platform)
  if (groupDenial) return groupDenial
  if (!policy.clientAllowed(input.userAgent)) {
    return deny('client_not_allowed', 'This API key may not be used with this client.')
  }
  return checkAddress(policy, input.address)
}

/** Is the key good at all, whatever it is used for? */
export function checkHolder({ key }: KeyPolicy, user: User | null, nowMs: number): Denial | null {
  // First, because the job that tidies up marks what has expired as not active (KEY-11).
  if (key.expiresAtMs !== null && key.expiresAtMs <= nowMs) {
    return deny('api_key_expired', 'This API key has expired. Ask your administrator for a new one.')
  }
  if (!key.active) return deny('api_key_disabled', 'This API key is disabled. Ask your administrator.')
  return user && user.status !== 'active' ? deny('user_disabled', 'The user of this API key is disabled.') : null
}

export function checkAddress(policy: KeyPolicy, address: string | null): Denial | null {
  if (!policy.checksIp || (address && policy.ipAllowed(address))) return null
  return deny('ip_not_allowed', 'This API key may not be used from this address.')
}

function checkGroup(group: Group | null, user: User | null, platform: Platform): Denial | null {
  if (!group) return null
  if (group.platform !== platform) {
    return deny(
      'platform_not_allowed',
      `This API key belongs to a group for ${PERMISSION_OF[group.platform]} endpoints.`,
    )
  }
  if (group.status !== 'active') return deny('group_not_allowed', 'The group of this API key is disabled.')
  if (group.exclusive && !(user && group.userIds.includes(user.id))) {
    return deny('group_not_allowed', 'The group of this API key is exclusive, and its user is not listed in it.')
  }
  return null
}

export function checkModel(policy: KeyPolicy, model: string): Denial | null {
  if (policy.modelAllowed(model)) return null
  return deny('model_not_allowed', `This API key may not use the model: ${model.slice(0, 200)}`)
}
