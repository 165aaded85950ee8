/**
 * What a new installation has (ACC-12): a default group for each of three platforms. Any number of instances may run it at
 * once and again: the unique indexes on name and on default-of-platform let one in, whatever an operator renamed since.
 */
import { newId } from '../lib/ids.ts'
import { groups } from '../schema/groups.ts'
import type { Db } from './client.ts'

const DEFAULT_PLATFORMS = ['openai', 'anthropic', 'gemini'] as const

/** Names of the groups that it made; none the second time. */
export async function insertDefaultGroups(db: Db): Promise<string[]> {
  const made = await db
    .insert(groups)
    .values(
      DEFAULT_PLATFORMS.map((platform) => ({ id: newId(), name: `${platform}-default`, platform, isDefault: true })),
    )
    .onConflictDoNothing()
    .returning({ name: groups.name })
  return made.map(({ name }) => name)
}
