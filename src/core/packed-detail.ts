/**
 * A detail of the usage statistics in eight 32-bit words: 32 bytes where an object with its strings takes some 400. Sources and accounts are
 * numbers of a table; a token count beyond 32 bits stands in a list beside.
 */
import type { Detail } from './stats.ts'

export const DETAIL_WORDS = 8
const TOO_WIDE = 0xffff_ffff

/** Source, account and outcome → a number, and back. Grows with the accounts there are, not with requests. */
export interface Origins {
  numberOf(source: string, authIndex: string, failed: boolean): number
  sourceOf(origin: number): string
  authIndexOf(origin: number): string
}

export function createOrigins(): Origins {
  const bySource = new Map<string, Map<string, number>>()
  const sources: string[] = []
  const authIndexes: string[] = []

  function pairOf(source: string, authIndex: string): number {
    const byAuthIndex = bySource.get(source) ?? new Map<string, number>()
    const known = byAuthIndex.get(authIndex)
    if (known !== undefined) return known
    const pair = sources.push(source) - 1
    authIndexes.push(authIndex)
    bySource.set(source, byAuthIndex.set(authIndex, pair))
    return pair
  }

  return {
    numberOf: (source, authIndex, failed) => pairOf(source, authIndex) * 2 + (failed ? 1 : 0),
    sourceOf: (origin) => sources[origin >>> 1] as string,
    authIndexOf: (origin) => authIndexes[origin >>> 1] as string,
  }
}

/** Where details are packed to: all of it is needed to read them again. */
export interface Packing {
  words: Uint32Array
  /** Token counts that need more than a word, by their index in `words`. */
  wide: Map<number, number>
  origins: Origins
}

/** `at`: index of its first word. */
export function packDetail(packing: Packing, at: number, detail: Detail): void {
  const { words, origins } = packing
  const { tokens } = detail
  words[at] = detail.seconds
  words[at + 1] = detail.nanos
  words[at + 2] = origins.numberOf(detail.source, detail.authIndex, detail.failed)
  packTokens(packing, at + 3, tokens.input)
  packTokens(packing, at + 4, tokens.output)
  packTokens(packing, at + 5, tokens.reasoning)
  packTokens(packing, at + 6, tokens.cached)
  packTokens(packing, at + 7, tokens.total)
}

export function unpackDetail(packing: Readonly<Packing>, at: number): Detail {
  const { words, origins } = packing
  const origin = words[at + 2] as number
  return {
    seconds: words[at] as number,
    nanos: words[at + 1] as number,
    source: origins.sourceOf(origin),
    authIndex: origins.authIndexOf(origin),
    failed: (origin & 1) === 1,
    tokens: {
      input: tokensAt(packing, at + 3),
      output: tokensAt(packing, at + 4),
      reasoning: tokensAt(packing, at + 5),
      cached: tokensAt(packing, at + 6),
      total: tokensAt(packing, at + 7),
    },
  }
}

function packTokens({ words, wide }: Packing, at: number, tokens: number): void {
  if (wide.size > 0) wide.delete(at)
  if (tokens >= TOO_WIDE) wide.set(at, tokens)
  words[at] = Math.min(tokens, TOO_WIDE)
}

function tokensAt({ words, wide }: Readonly<Packing>, at: number): number {
  return words[at] === TOO_WIDE ? (wide.get(at) as number) : (words[at] as number)
}
