/**
 * A Lua script that Redis runs as one step: sent by its hash, with its text only to a server that does not know it (a new or restarted one).
 *
 * If it fails: rejects with what the client says (no connection, no answer in time, an error of the script). It may have run all the same.
 */
import { createHash } from 'node:crypto'

/** What is needed of an ioredis client; `Redis` and `Cluster` both have it. */
export interface ScriptClient {
  evalsha(sha1: string, keyCount: number, ...args: string[]): Promise<unknown>
  eval(text: string, keyCount: number, ...args: string[]): Promise<unknown>
}

export type RedisScript = (client: ScriptClient, keys: readonly string[], args: readonly string[]) => Promise<unknown>

export function defineScript(text: string): RedisScript {
  const sha1 = createHash('sha1').update(text).digest('hex')
  return async (client, keys, args) => {
    try {
      return await client.evalsha(sha1, keys.length, ...keys, ...args)
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      return client.eval(text, keys.length, ...keys, ...args)
    }
  }
}
