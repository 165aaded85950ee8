import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { DENIALS } from '../../src/core/denial.ts'
import type { ApiKey, Group, User } from '../../src/core/entities.ts'
import {
  choosePayer,
  decideHold,
  denyPayer,
  type PayerInput,
  type Purse,
  settleHold,
  takeHold,
  userAvailable,
} from '../../src/core/quota.ts'
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

describe('whether a request is held, trusted or refused (BIL-7)', () => {
  const decide = (availableNano: bigint | null, heldNano: bigint, estimateNano: bigint) =>
    decideHold({ availableNano, heldNano }, estimateNano)

  test('not enough is refused, just enough is held (BIL-7)', () => {
    expect(decide(9n, 0n, 10n)).toEqual({ kind: 'refused' })
    expect(decide(10n, 0n, 10n)).toEqual({ kind: 'held', holdNano: 10n })
  })

  test('what other requests hold can’t be spent again (BIL-7)', () => {
    expect(decide(25n, 16n, 10n)).toEqual({ kind: 'refused' })
    expect(decide(25n, 15n, 10n)).toEqual({ kind: 'held', holdNano: 10n })
  })

  test('with more than 100 × the estimate free nothing is held; with exactly 100 × it is (BIL-7)', () => {
    expect(decide(1000n, 0n, 10n)).toEqual({ kind: 'held', holdNano: 10n })
    expect(decide(1001n, 0n, 10n)).toEqual({ kind: 'trusted' })
    expect(decide(1001n, 1n, 10n)).toEqual({ kind: 'held', holdNano: 10n })
  })

  test('the unlimited are trusted; the overdrawn are refused even what costs nothing (BIL-7)', () => {
    expect(decide(null, 0n, 10n ** 18n)).toEqual({ kind: 'trusted' })
    expect(decide(0n, 0n, 0n)).toEqual({ kind: 'held', holdNano: 0n })
    expect(decide(-1n, 0n, 0n)).toEqual({ kind: 'refused' })
  })

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

describe('holding and settling (BIL-8)', () => {
  test('the charge takes the place of the hold: the rest comes back, more is taken in addition (BIL-8)', () => {
    const held = takeHold({ availableNano: 100n, heldNano: 0n }, 30n)
    expect(held).toEqual({ availableNano: 100n, heldNano: 30n })
    expect(settleHold(held, { holdNano: 30n, chargeNano: 20n })).toEqual({ availableNano: 80n, heldNano: 0n })
    expect(settleHold(held, { holdNano: 30n, chargeNano: 45n })).toEqual({ availableNano: 55n, heldNano: 0n })
    expect(settleHold(held, { holdNano: 30n, chargeNano: 0n })).toEqual({ availableNano: 100n, heldNano: 0n })
  })

  test('an unlimited purse stays unlimited', () => {
    expect(settleHold({ availableNano: null, heldNano: 0n }, { holdNano: 0n, chargeNano: 5n })).toEqual({
      availableNano: null,
      heldNano: 0n,
    })
  })

  test('however requests interleave, open holds add up, and held requests never spend more than there was (BIL-7, BIL-8)', () => {
    const request = fc.record({
      estimate: fc.bigInt({ min: 1n, max: 50n }),
      /** Percent of the estimate that is charged in the end. */
      charged: fc.bigInt({ min: 0n, max: 100n }),
      settlesAtOnce: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 100n }), fc.array(request, { maxLength: 40 }), (start, requests) => {
        let purse: Purse = { availableNano: start, heldNano: 0n }
        let open: { holdNano: bigint; chargeNano: bigint }[] = []
        let charged = 0n
        for (const { estimate, charged: percent, settlesAtOnce } of requests) {
          const decision = decideHold(purse, estimate)
          if (decision.kind === 'refused') continue
          const holdNano = decision.kind === 'held' ? decision.holdNano : 0n
          purse = takeHold(purse, holdNano)
          open.push({ holdNano, chargeNano: (estimate * percent) / 100n })
          if (settlesAtOnce) {
            for (const settled of open) {
              purse = settleHold(purse, settled)
              charged += settled.chargeNano
            }
            open = []
          }
          expect(purse.heldNano).toBe(open.reduce((sum, hold) => sum + hold.holdNano, 0n))
          expect(purse.availableNano).toBe(start - charged)
          expect(charged).toBeLessThanOrEqual(start)
        }
      }),
    )
  })
})
