/** Rollups keep the five disjoint leaves; the total is their sum (BIL-1). */
export const TOTAL_TOKENS =
  'sum(input_tokens + output_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens)'
