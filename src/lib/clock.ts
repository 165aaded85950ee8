/** Time as a parameter: production passes `systemClock`, tests a manual one. Nothing else reads the wall clock. */
export interface Clock {
  /** Epoch milliseconds. */
  nowMs(): number
}

export const systemClock: Clock = { nowMs: () => Date.now() }
