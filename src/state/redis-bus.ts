/**
 * The bus between instances over Redis' publish and subscribe (see ./bus). Subscribing takes a connection of its own.
 *
 * If it fails: what is said while Redis is away is lost; when the subscription stands again, listeners are told of the gap.
 */
import { type Bus, createListeners } from './bus.ts'
import type { RedisClient } from './redis-client.ts'

export interface RedisBusDeps {
  commands: Pick<RedisClient, 'publish'>
  /** Used for nothing else. */
  subscriber: RedisClient
  /** Unique among all instances: nobody hears itself. */
  instanceId: string
}

const CHANNEL = 'tp:bus'

export function createRedisBus({ commands, subscriber, instanceId }: RedisBusDeps): Bus {
  const listeners = createListeners()

  async function subscribe(): Promise<void> {
    try {
      await subscriber.subscribe(CHANNEL)
      listeners.gap()
    } catch {
      // The connection went again, or hangs: a new one subscribes when it is ready.
      if (subscriber.status === 'ready') subscriber.disconnect(true)
    }
  }

  subscriber.on('message', (channel: string, message: string) => {
    const [from = '', topic = '', text = ''] = split(message)
    if (channel === CHANNEL && from !== instanceId) listeners.tell(topic, text)
  })
  subscriber.on('ready', () => void subscribe())
  if (subscriber.status === 'ready') void subscribe()
  return {
    say(topic, text) {
      void commands.publish(CHANNEL, `${instanceId} ${topic} ${text}`).catch(() => undefined)
    },
    hear: listeners.hear,
    onGap: listeners.onGap,
  }
}

/** The text may have spaces of its own. */
function split(message: string): string[] {
  const first = message.indexOf(' ')
  const second = message.indexOf(' ', first + 1)
  return [message.slice(0, first), message.slice(first + 1, second), message.slice(second + 1)]
}
