/** The bus between instances without Redis: what one says the others hear at once. */
import { type Bus, type BusTopic, createListeners } from '../../src/state/bus.ts'

export function createTestBus() {
  const members: ReturnType<typeof createListeners>[] = []
  return {
    join(): Bus {
      const own = createListeners()
      members.push(own)
      return {
        hear: own.hear,
        onGap: own.onGap,
        say(topic, text) {
          for (const member of members) if (member !== own) member.tell(topic, text)
        },
      }
    },
    /** Says it to all. */
    deliver(topic: BusTopic, text: string): void {
      for (const member of members) member.tell(topic, text)
    },
    /** Nobody knows what was said meanwhile. */
    gap(): void {
      for (const member of members) member.gap()
    },
  }
}
