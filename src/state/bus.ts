/**
 * What instances tell each other in passing (OPS-4): a slot came free, a session moved. Nothing is kept: who was not there has missed it, and
 * is told that there was a gap. Whoever relies on it must stay right without it, only later.
 */
export interface Bus {
  /** To all other instances. */
  say(topic: BusTopic, text: string): void
  hear(topic: BusTopic, listener: (text: string) => void): void
  /** Something may have been missed. */
  onGap(listener: () => void): void
}

/** `slot`: one came free. `want`: somebody waits for one. `session`: it moved. */
export type BusTopic = 'slot' | 'want' | 'session'

/** The listeners of one instance; `redis-bus` puts Redis behind it. */
export function createListeners() {
  const byTopic = new Map<string, ((text: string) => void)[]>()
  const onGap: (() => void)[] = []
  return {
    hear(topic: BusTopic, listener: (text: string) => void): void {
      byTopic.set(topic, [...(byTopic.get(topic) ?? []), listener])
    },
    onGap: (listener: () => void): void => void onGap.push(listener),
    tell(topic: string, text: string): void {
      for (const listener of byTopic.get(topic) ?? []) listener(text)
    },
    gap(): void {
      for (const listener of onGap) listener()
    },
  }
}
