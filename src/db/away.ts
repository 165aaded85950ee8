/** Is an exception the database being away (OPS-5), rather than a mistake of ours? Then waiting helps, and a 503 says so. */

/** postgres.js's own words, the system's, and Postgres's classes for "shutting down", "starting", "too many connections", "connection". */
const AWAY =
  /^(CONNECTION_(CLOSED|ENDED|DESTROYED)|CONNECT_TIMEOUT|ECONN(REFUSED|RESET)|E(PIPE|TIMEDOUT|NOTFOUND|HOSTUNREACH|NETUNREACH|AI_AGAIN)|57P0[1-4]|53300|08...|ENOENT)$/

/** Drizzle wraps the driver's error, which may wrap the system's. */
const MAX_DEPTH = 5

export function isDatabaseAway(error: unknown): boolean {
  let cause = error
  for (let depth = 0; depth < MAX_DEPTH && typeof cause === 'object' && cause !== null; depth++) {
    const { code } = cause as { code?: unknown }
    if (typeof code === 'string' && AWAY.test(code)) return true
    cause = (cause as { cause?: unknown }).cause
  }
  return false
}
