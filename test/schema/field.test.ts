import { describe, expect, test } from 'bun:test'
import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import fc from 'fast-check'
import { isFault } from '../../src/core/fault.ts'
import { choice, id, json, multiplier, nullable, seconds, shown, text, time, usd } from '../../src/schema/field.ts'

const about = <T>(example: T) => ({ description: 'x', example })

describe('fields between column and wire', () => {
  test('money survives the way from column to wire and back to the nanodollar (contract)', () => {
    const field = usd('balanceNano', about(1))
    fc.assert(
      // A JSON number is exact to the nanodollar up to 2^23 USD.
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 23n * 1_000_000_000n }), (nano) => {
        expect(field.fromWire(field.toWire(nano), 'balance_usd')).toBe(nano)
      }),
    )
  })

  test('money with more than 9 decimals is a fault that names the field (contract)', () => {
    const fault = usd('balanceNano', about(1)).fromWire(0.0000000001, 'balance_usd')
    expect(fault).toEqual({ fault: 'invalid', field: 'balance_usd', message: 'balance_usd has more than 9 decimals' })
  })

  test('money is refused when negative or beyond a billion, unless the field says otherwise (contract)', () => {
    const field = usd('balanceNano', about(1))
    expect([0, 1_000_000_000, -1, 1_000_000_001].map((wire) => Value.Check(field.schema, wire))).toEqual([
      true,
      true,
      false,
      false,
    ])
    expect(Value.Check(usd('balanceNano', { ...about(1), minimum: -5 }).schema, -1)).toBe(true)
  })

  test('a multiplier is a factor on the wire and millionths in the column, exactly (BIL-6)', () => {
    const field = multiplier('rateMultiplier', about(1))
    expect(field.fromWire(1.5, 'rate_multiplier')).toBe(1_500_000)
    expect(isFault(field.fromWire(1.23456789, 'rate_multiplier'))).toBe(true)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000_000_000 }), (micro) => {
        expect(field.fromWire(field.toWire(micro), 'x')).toBe(micro)
      }),
    )
  })

  test('times are RFC 3339 with an offset; others are refused (contract)', () => {
    const field = time('createdAt', about(''))
    const good = ['2026-07-24T18:23:00Z', '2026-07-24T18:23:00.123Z', '2026-07-24T20:23:00+02:00']
    const bad = ['2026-07-24', '2026-07-24T18:23:00', 'now', '2026-07-24 18:23:00Z', '']
    expect(good.map((wire) => Value.Check(field.schema, wire))).toEqual([true, true, true])
    expect(bad.map((wire) => Value.Check(field.schema, wire))).toEqual([false, false, false, false, false])
    expect(field.fromWire('2026-07-24T20:23:00+02:00', 'x')).toEqual(new Date('2026-07-24T18:23:00Z'))
    expect(isFault(field.fromWire('2026-13-45T18:23:00Z', 'x'))).toBe(true)
    expect(field.toWire(new Date(0))).toBe('1970-01-01T00:00:00.000Z')
  })

  test('seconds on the wire are milliseconds in the column (REL-15)', () => {
    const field = seconds('requestTimeoutMs', about(1))
    expect(field.fromWire(2.5)).toBe(2500)
    expect(field.toWire(2500)).toBe(2.5)
  })

  test('null is itself on both sides of a nullable field, and its example stays (OPS-12)', () => {
    const field = nullable(usd('quotaNano', { description: 'Quota', example: 100 }))
    expect(field.toWire(null)).toBeNull()
    expect(field.fromWire(null, 'quota_usd')).toBeNull()
    expect(field.fromWire(2, 'quota_usd')).toBe(2_000_000_000n)
    expect(Value.Check(field.schema, null)).toBe(true)
    expect(field.schema).toMatchObject({ description: 'Quota', example: 100, nullable: true })
  })

  test('ids are UUIDs and words come from their closed list (contract)', () => {
    const word = choice('status', ['active', 'disabled'], { description: 'x', example: 'active' })
    expect(Value.Check(word.schema, 'active')).toBe(true)
    expect(Value.Check(word.schema, 'gone')).toBe(false)
    expect(Value.Check(id('id', about('')).schema, '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e10')).toBe(true)
    expect(Value.Check(id('id', about('')).schema, 'x')).toBe(false)
  })

  test('a text has a greatest length even when nobody named one (OPS-11)', () => {
    expect(Value.Check(text('note', about('')).schema, 'x'.repeat(1000))).toBe(true)
    expect(Value.Check(text('note', about('')).schema, 'x'.repeat(1001))).toBe(false)
  })

  test('a field that is only shown cannot be set', () => {
    const field = shown('attempts', Type.Integer(), { ...about(1), toWire: (list: string[]) => list.length })
    expect(field.toWire(['a', 'b'])).toBe(2)
    expect(isFault(field.fromWire(3, 'attempts'))).toBe(true)
  })

  test('JSON columns are shown as they are stored', () => {
    const field = json('models', Type.Array(Type.String()), about(['gpt-*']))
    expect(field.toWire(['a'])).toEqual(['a'])
    expect(field.schema).toMatchObject({ description: 'x', example: ['gpt-*'] })
  })
})
