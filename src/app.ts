/** Composition root (placeholder until the lead's is merged): Config, with its admin token set, → App. */
import type { Config } from './config.ts'

export interface App {
  stop(): Promise<void>
  stopNow(): Promise<void>
}

export async function startApp(_config: Config): Promise<App> {
  throw new Error('serve is not part of this build yet')
}
