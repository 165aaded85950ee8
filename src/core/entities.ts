/**
 * Users, groups, keys, accounts and proxies as the request path sees them: plain, immutable, ready to use.
 * `db/directory` builds them from rows, `state/directory` indexes them; nothing here knows SQL or HTTP.
 */
import type { AccountBlock } from './account-block.ts'
import type { Nano } from './money.ts'
import type { AccountType, Platform } from './platform.ts'

/** A rate multiplier in millionths: 1.5 is 1_500_000. Integers, so that money stays exact. */
export type Micro = number

export interface User {
  id: string
  email: string
  username: string
  role: 'user' | 'admin'
  status: 'active' | 'disabled'
  balanceNano: Nano
  /** Null: unlimited (BIL-10). */
  quotaNano: Nano | null
  usedNano: Nano
}

export interface Group {
  id: string
  name: string
  platform: Platform
  status: 'active' | 'disabled'
  billingType: 'standard' | 'subscription'
  rateMultiplier: Micro
  dailyLimitNano: Nano | null
  weeklyLimitNano: Nano | null
  monthlyLimitNano: Nano | null
  /** Only users listed in `userIds` may use it (ACC-12). */
  exclusive: boolean
  userIds: readonly string[]
  fallbackGroupId: string | null
  /** The platform's default group: serves keys without a group, takes accounts without one (ACC-12). */
  isDefault: boolean
}

export interface Proxy {
  id: string
  name: string
  /** Full URL with credentials, decrypted: http or https (REL-5). */
  url: string
  status: 'active' | 'disabled'
}

/** Decrypted secrets of an account; which fields there are depends on its type (contract.md). */
export interface AccountCredentials {
  apiKey?: string
  baseUrl?: string
  accessToken?: string
  refreshToken?: string
  /** Epoch ms. */
  expiresAtMs?: number | null
  chatgptAccountId?: string
  awsAccessKeyId?: string
  awsSecretAccessKey?: string
  awsSessionToken?: string
  awsRegion?: string
  /** An account's own user agent replaces the client's (REL-4). */
  userAgent?: string
}

export interface Account {
  id: string
  name: string
  platform: Platform
  type: AccountType
  credentials: AccountCredentials
  groupIds: readonly string[]
  status: 'active' | 'disabled' | 'error'
  schedulable: boolean
  /** Lower is tried first. */
  priority: number
  /** Requests at a time; 0: no limit. */
  concurrency: number
  /** Requested name → upstream name; keys may end in `*` (ACC-2). Empty: every model of the platform. */
  modelMapping: Readonly<Record<string, string>>
  proxy: Proxy | null
  rateMultiplier: Micro
  /** Operator pays nothing for it (BIL-6). */
  freeTier: boolean
  customErrorCodes: readonly number[] | null
  expiresAtMs: number | null
  lastUsedAtMs: number | null
  /** Epoch ms until which it must not be chosen, as stored; live cooldowns are in state/health. */
  rateLimitedUntilMs: number | null
  overloadedUntilMs: number | null
  unschedulableUntilMs: number | null
  /** The same with causes and sources, and those of model families, as any instance has stored them (ACC-6). */
  blocks: readonly AccountBlock[]
  firstByteTimeoutMs: number | null
  streamIdleTimeoutMs: number | null
  requestTimeoutMs: number | null
  errorMessage: string | null
}

export const PERMISSIONS = ['all', 'openai', 'claude', 'gemini', 'bedrock'] as const
export type Permission = (typeof PERMISSIONS)[number]

export interface ApiKey {
  id: string
  name: string
  userId: string | null
  groupId: string | null
  active: boolean
  expiresAtMs: number | null
  /** With it, `expiresAtMs` is set at first use (KEY-5). */
  expiresAfterDays: number | null
  permissions: readonly Permission[]
  tokenLimit: number
  concurrencyLimit: number
  rateLimitWindowMinutes: number
  rateLimitRequests: number
  rateLimitTokens: number
  rateLimitCostNano: Nano
  rpm: number
  tpm: number
  dailyCostLimitNano: Nano
  weeklyCostLimitNano: Nano
  totalCostLimitNano: Nano
  modelRestriction: 'off' | 'allow' | 'deny'
  models: readonly string[]
  clientRestriction: boolean
  clients: readonly string[]
  ipAllow: readonly string[]
  ipDeny: readonly string[]
  /** Platform → account id: this key uses only that account there (KEY-5). */
  boundAccounts: Readonly<Partial<Record<Platform, string>>>
  /** Pays from its own balance (BIL-10). */
  standalone: boolean
  balanceNano: Nano
  onClientDisconnect: 'drain' | 'abort' | null
  /** Seconds; null: the global setting; 0: off (REL-15). */
  sseKeepaliveSeconds: number | null
}
