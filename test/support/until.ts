/** Waits for a condition by asking for it again and again, up to a deadline; the failure says what was waited for. */
export interface UntilOptions {
  /** For the failure's message: "the record of …". */
  what: string
  withinMs?: number
  everyMs?: number
}

export async function until<T>(
  ask: () => T | Promise<T>,
  { what, withinMs = 10_000, everyMs = 5 }: UntilOptions,
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const found = await ask()
    if (found !== false && found !== null && found !== undefined) return found as NonNullable<Exclude<T, false>>
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`)
    await Bun.sleep(everyMs)
  }
}
