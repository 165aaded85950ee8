/** Entities for tests: sound defaults, overridden by what a test is about. */
import type { Account, ApiKey, Group, User } from '../../src/core/entities.ts'

export function makeAccount(over: Partial<Account> & { id: string }): Account {
  return {
    name: over.id,
    platform: 'openai',
    type: 'api_key',
    credentials: { apiKey: 'sk-upstream' },
    groupIds: ['g'],
    status: 'active',
    schedulable: true,
    priority: 50,
    concurrency: 0,
    modelMapping: {},
    proxy: null,
    rateMultiplier: 1_000_000,
    freeTier: false,
    customErrorCodes: null,
    expiresAtMs: null,
    lastUsedAtMs: null,
    rateLimitedUntilMs: null,
    overloadedUntilMs: null,
    unschedulableUntilMs: null,
    blocks: [],
    firstByteTimeoutMs: null,
    streamIdleTimeoutMs: null,
    requestTimeoutMs: null,
    errorMessage: null,
    ...over,
  }
}

export function makeKey(over: Partial<ApiKey> = {}): ApiKey {
  return {
    id: 'key-1',
    name: 'test key',
    userId: 'user-1',
    groupId: null,
    active: true,
    expiresAtMs: null,
    expiresAfterDays: null,
    permissions: ['all'],
    tokenLimit: 0,
    concurrencyLimit: 0,
    rateLimitWindowMinutes: 0,
    rateLimitRequests: 0,
    rateLimitTokens: 0,
    rateLimitCostNano: 0n,
    rpm: 0,
    tpm: 0,
    dailyCostLimitNano: 0n,
    weeklyCostLimitNano: 0n,
    totalCostLimitNano: 0n,
    modelRestriction: 'off',
    models: [],
    clientRestriction: false,
    clients: [],
    ipAllow: [],
    ipDeny: [],
    boundAccounts: {},
    standalone: false,
    balanceNano: 0n,
    onClientDisconnect: null,
    sseKeepaliveSeconds: null,
    ...over,
  }
}

export function makeUser(over: Partial<User> = {}): User {
  return {
    id: 'user-1',
    email: 'user@example.com',
    username: 'user',
    role: 'user',
    status: 'active',
    balanceNano: 0n,
    quotaNano: null,
    usedNano: 0n,
    ...over,
  }
}

export function makeGroup(over: Partial<Group> = {}): Group {
  return {
    id: 'g',
    name: 'openai-default',
    platform: 'openai',
    status: 'active',
    billingType: 'standard',
    rateMultiplier: 1_000_000,
    dailyLimitNano: null,
    weeklyLimitNano: null,
    monthlyLimitNano: null,
    exclusive: false,
    userIds: [],
    fallbackGroupId: null,
    isDefault: true,
    ...over,
  }
}
