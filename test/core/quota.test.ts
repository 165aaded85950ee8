import { describe, expect, test } from 'bun:test'
import { DENIALS } from '../../src/core/denial.ts'
import type { ApiKey, Group, User } from '../../src/core/entities.ts'
import { choosePayer, denyPayer, type PayerInput, userAvailable } from '../../src/core/quota.ts'
import type { Subscription } from '../../src/core/subscription.ts'

const NOW = Date.parse('2026-03-01')
const key = { id: 'k1', standalone: false, balanceNano: 0n } as ApiKey
const user = { id: 'u1', role: 'user', balanceNano: 0n, quotaNano: 10n, usedNano: 0n } as User
const group = {
  billingType: 'subscription',
  dailyLimitNano: 5n,
  weeklyLimitNano: null,
  monthlyLimitNano: null,
} as Group
const unused = { startedAtMs: null, usedNano: 0n }
const subscription: Subscription = {
  id: 's1',
  userId: 'u1',
  groupId: 'g1',
  status: 'active',
  startsAtMs: NOW,
  expiresAtMs: Number.MAX_SAFE_INTEGER,
  daily: unused,
  weekly: unused,
  monthly: unused,
}

function payer(input: Partial<PayerInput>) {
  return choosePayer({ runMode: 'standard', key, user, group, subscription, nowMs: NOW, ...input })
}

describe('who pays (BIL-10)', () => {
  test('a standalone key pays from its own balance, whoever made it (BIL-10)', () => {
    const standalone = { ...key, standalone: true, balanceNano: 7n }
    expect(payer({ key: standalone })).toEqual({ kind: 'key', id: 'k1', availableNano: 7n })
    expect(payer({ key: standalone, user: null, group: null })).toEqual({ kind: 'key', id: 'k1', availableNano: 7n })
  })

  test('an active subscription pays before the balance does (BIL-10)', () => {
    expect(payer({})).toEqual({ kind: 'subscription', id: 's1', availableNano: 5n })
  })

  test('without an active subscription, or in a group of another type, the user’s own money pays (BIL-10)', () => {
    const own = { kind: 'balance', id: 'u1', availableNano: 10n } as const
    expect(payer({ subscription: null })).toEqual(own)
    expect(payer({ subscription: { ...subscription, status: 'revoked' } })).toEqual(own)
    expect(payer({ subscription: { ...subscription, expiresAtMs: NOW } })).toEqual(own)
    expect(payer({ group: { ...group, billingType: 'standard' } })).toEqual(own)
    expect(payer({ group: null })).toEqual(own)
  })

  test('in simple mode nobody pays; nor does a key that belongs to nobody (BIL-10)', () => {
    expect(payer({ runMode: 'simple', key: { ...key, standalone: true } })).toEqual({ kind: 'none' })
    expect(payer({ user: null, subscription: null })).toEqual({ kind: 'none' })
  })
})

describe('what a user may still spend (BIL-7, BIL-10)', () => {
  const available = (money: Partial<User>) => userAvailable({ ...user, ...money })

  test('admins and users without a quota are unlimited, whatever their balance (BIL-10)', () => {
    expect(available({ role: 'admin', quotaNano: 0n })).toBeNull()
    expect(available({ quotaNano: null, balanceNano: -5n })).toBeNull()
  })

  test('who never got any money may spend the quota (BIL-10)', () => {
    expect(available({ quotaNano: 10n, balanceNano: 0n, usedNano: 0n })).toBe(10n)
    expect(available({ quotaNano: 10n, balanceNano: -4n, usedNano: 4n })).toBe(6n)
    expect(available({ quotaNano: 10n, balanceNano: -12n, usedNano: 12n })).toBe(-2n)
  })

  test('money put in has to suffice, and the quota still caps what may be spent in all (BIL-10)', () => {
    expect(available({ quotaNano: 10n, balanceNano: 1n, usedNano: 4n })).toBe(1n)
    expect(available({ quotaNano: 3n, balanceNano: 3n, usedNano: 2n })).toBe(1n)
    expect(available({ quotaNano: 10n, balanceNano: -1n, usedNano: 6n })).toBe(-1n)
  })
})

describe('who can not pay (BIL-7)', () => {
  test('each payer has its own refusal, and none of them can be waited for (BIL-7)', () => {
    const denials = (['key', 'subscription', 'balance'] as const).map(denyPayer)
    expect(denials.map(({ code }) => code)).toEqual([
      'insufficient_key_balance',
      'subscription_limit_exceeded',
      'insufficient_user_quota',
    ])
    for (const { code } of denials)
      expect(DENIALS[code]).toMatchObject({ type: 'insufficient_quota', retryable: false })
  })
})
