/**
 * Settings of the runtime itself, which it reads from the environment before the first line of a program runs: `main.ts` sees to it that they
 * are there. What an operator has set stays as it is. A `BUN_JSC_` name that the runtime does not know ends it at once:
 * look at them with each new Bun.
 */
export const RUNTIME: Readonly<Record<string, string>> = {
  // Bun's fetch allows 256 requests at a time, open streams included.
  BUN_CONFIG_MAX_HTTP_REQUESTS: '65535',
  // The JIT's last tier, 48 times later than it would be: after 200,000 calls, as it counts them, or three million turns of a loop. It took 1 to
  // 2 s of CPU for our 220 functions and made a request 0 to 9 % cheaper, so that it pays after 100,000 requests at best; a gateway's
  // first 8,000 streams cost a fifth to a quarter less without it.
  BUN_JSC_thresholdForFTLOptimizeAfterWarmUp: '3072000',
  BUN_JSC_thresholdForFTLOptimizeSoon: '48000',
}
