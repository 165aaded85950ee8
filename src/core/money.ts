/**
 * Money is whole nanodollars (1e-9 USD) in a bigint: no float ever adds money (BIL).
 * USD decimals appear only on the wire, as JSON numbers with at most 9 decimals (contract.md).
 */
export type Nano = bigint

export const NANO_PER_USD = 1_000_000_000n

/** USD as a number from JSON → nanodollars, or null when it is not finite or has more than 9 decimals. */
export function fromUsd(usd: number): Nano | null {
  if (!Number.isFinite(usd)) return null
  const [digits = '0', exponent = '0'] = usd.toExponential().split('e')
  const negative = digits.startsWith('-')
  const [whole = '0', fraction = ''] = (negative ? digits.slice(1) : digits).split('.')
  const shift = Number(exponent) - fraction.length + 9
  if (shift < 0) return null
  const nano = BigInt(whole + fraction) * 10n ** BigInt(shift)
  return negative ? -nano : nano
}

/** Nanodollars → USD for JSON. Exact to the nanodollar up to 2^23 (8.3 million) USD: beyond, neighbouring JSON numbers lie further apart. */
export function toUsd(nano: Nano): number {
  return Number(toUsdText(nano))
}

/** Nanodollars → decimal text, exact at any size: "12.345", "-0.000000001". */
export function toUsdText(nano: Nano): string {
  const negative = nano < 0n
  const digits = (negative ? -nano : nano).toString().padStart(10, '0')
  const whole = digits.slice(0, -9)
  const fraction = digits.slice(-9).replace(/0+$/, '')
  return `${negative ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
}

/** value × factor ÷ divisor, rounded half up: see `divHalfUp`. */
export function mulDivHalfUp(value: bigint, factor: bigint, divisor: bigint): bigint {
  return divHalfUp(value * factor, divisor)
}

/** Rounded half up (away from zero for negatives): the one rounding rule for costs (BIL-6). The divisor is above 0. */
export function divHalfUp(value: bigint, divisor: bigint): bigint {
  const half = divisor >> 1n
  return value < 0n ? -((half - value) / divisor) : (value + half) / divisor
}
