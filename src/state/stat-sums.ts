/**
 * Requests and tokens added up, exact whatever they come to: what the database knew is a bigint, what came since is a number that is folded into
 * it long before 2^53.
 */
export interface Sum {
  /** Since the base was read. */
  requests: number
  tokens: number
  baseRequests: bigint
  baseTokens: bigint
}

export interface Total {
  requests: bigint
  tokens: bigint
}

/** Half of what a number holds exactly; the other half is room for one more record. */
const FOLD_AT = 2 ** 52

export function newSum(): Sum {
  return { requests: 0, tokens: 0, baseRequests: 0n, baseTokens: 0n }
}

export function addRequest(sum: Sum, tokens: number): void {
  sum.requests++
  sum.tokens += tokens
  if (sum.tokens >= FOLD_AT) fold(sum)
}

export function addBase(sum: Sum, { requests, tokens }: Total): void {
  sum.baseRequests += requests
  sum.baseTokens += tokens
}

export function resetSum(sum: Sum): void {
  sum.requests = sum.tokens = 0
  sum.baseRequests = sum.baseTokens = 0n
}

/** As it is now: four words, no arithmetic. */
export function copySum({ requests, tokens, baseRequests, baseTokens }: Sum): Sum {
  return { requests, tokens, baseRequests, baseTokens }
}

export function totalOf(sum: Sum): Total {
  return { requests: sum.baseRequests + BigInt(sum.requests), tokens: sum.baseTokens + BigInt(sum.tokens) }
}

function fold(sum: Sum): void {
  sum.baseTokens += BigInt(sum.tokens)
  sum.tokens = 0
}
