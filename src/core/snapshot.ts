/**
 * How full an account's subscription windows are (ACC-11): Codex' primary and secondary window and Anthropic's unified 5h/7d, in one view.
 * Which slot is which is told by the window's *length*: the primary window is 5 hours on one plan and a week on another. Pure.
 */

export interface UsageWindow {
  /** 0–100, may exceed 100. */
  usedPercent: number | null
  /** Epoch ms. */
  resetAtMs: number | null
  windowMinutes: number | null
}

export interface AccountSnapshot {
  fiveHour: UsageWindow | null
  sevenDay: UsageWindow | null
  /** As the vendor said it, for the account's `extra`: field → number. */
  raw: Readonly<Record<string, number>>
  takenAtMs: number
}

/** One known window: up to six hours it is the 5h one. */
const LONGEST_FIVE_HOUR_MINUTES = 360

/**
 * Sorts two slots into 5h and 7d (ACC-11): both lengths known: the smaller is 5h, the larger 7d, equal: secondary is 5h; one known:
 * ≤ 360 minutes is 5h, and the other slot is what is left; none known: primary → 7d, secondary → 5h.
 */
export function sortWindows(
  primary: UsageWindow | null,
  secondary: UsageWindow | null,
): Pick<AccountSnapshot, 'fiveHour' | 'sevenDay'> {
  const primaryMinutes = primary?.windowMinutes ?? null
  const secondaryMinutes = secondary?.windowMinutes ?? null
  let primaryIsFiveHour = false
  if (primaryMinutes !== null && secondaryMinutes !== null) primaryIsFiveHour = primaryMinutes < secondaryMinutes
  else if (primaryMinutes !== null) primaryIsFiveHour = primaryMinutes <= LONGEST_FIVE_HOUR_MINUTES
  else if (secondaryMinutes !== null) primaryIsFiveHour = secondaryMinutes > LONGEST_FIVE_HOUR_MINUTES
  return primaryIsFiveHour ? { fiveHour: primary, sevenDay: secondary } : { fiveHour: secondary, sevenDay: primary }
}

/** A window at 100 % keeps the account out until its reset; of two such windows the later one counts. Null: it may serve. */
export function exhaustedUntil(snapshot: AccountSnapshot, nowMs: number): number | null {
  let untilMs: number | null = null
  for (const window of [snapshot.fiveHour, snapshot.sevenDay]) {
    if (!window || (window.usedPercent ?? 0) < 100 || window.resetAtMs === null || window.resetAtMs <= nowMs) continue
    untilMs = Math.max(untilMs ?? 0, window.resetAtMs)
  }
  return untilMs
}

/** The view that `GET /admin/accounts/{id}` shows and `extra` keeps: `codex_5h_used_percent`, `…_reset_at` and so on. */
export function toExtra(snapshot: AccountSnapshot, prefix: string): Record<string, number | string> {
  const extra: Record<string, number | string> = {}
  for (const [field, value] of Object.entries(snapshot.raw)) extra[`${prefix}_${field}`] = value
  for (const [name, window] of [
    ['5h', snapshot.fiveHour],
    ['7d', snapshot.sevenDay],
  ] as const) {
    if (!window) continue
    if (window.usedPercent !== null) extra[`${prefix}_${name}_used_percent`] = window.usedPercent
    if (window.windowMinutes !== null) extra[`${prefix}_${name}_window_minutes`] = window.windowMinutes
    if (window.resetAtMs === null) continue
    extra[`${prefix}_${name}_reset_at`] = new Date(window.resetAtMs).toISOString()
    extra[`${prefix}_${name}_reset_after_seconds`] = Math.max(
      0,
      Math.round((window.resetAtMs - snapshot.takenAtMs) / 1000),
    )
  }
  extra[`${prefix}_usage_updated_at`] = new Date(snapshot.takenAtMs).toISOString()
  return extra
}
