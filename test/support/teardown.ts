/**
 * What must happen once when a test process ends. `bun test` fires no exit event; the preload's global `afterAll` runs
 * these.
 */
const steps: (() => Promise<void>)[] = []

export function atEnd(step: () => Promise<void>): void {
  steps.push(step)
}

export async function tearDown(): Promise<void> {
  for (const step of steps.splice(0).reverse()) await step()
}
