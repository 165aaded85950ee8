/** The total of tokens: rollups keep the five disjoint leaves that it is the sum of (BIL-1). */
export const TOKEN_LEAVES = [
  'inputTokens',
  'outputTokens',
  'cacheReadTokens',
  'cacheWrite5mTokens',
  'cacheWrite1hTokens',
] as const

export const TOTAL_TOKENS =
  'sum(input_tokens + output_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens)'
