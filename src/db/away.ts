/** Is an exception the database being away, rather than a mistake of ours? Connection faults of postgres.js, and the server's own (class 08, 57P). */
const CONNECTION_CODES = new Set([
  'CONNECT_TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
])

export function isDatabaseAway(error: unknown): boolean {
  // Drizzle wraps what the driver threw.
  for (let current = error; current instanceof Error; current = current.cause) {
    const code = 'code' in current && typeof current.code === 'string' ? current.code : ''
    if (CONNECTION_CODES.has(code) || code.startsWith('08') || code.startsWith('57P')) return true
  }
  return false
}
