/** What every part of the running gateway stands on; each opener takes from it what it needs and tells the stack how to stop what it opened. */
import type { Config } from '../config.ts'
import type { Log } from '../lib/log.ts'
import type { Stack } from '../lib/stack.ts'
import type { Data } from './open-data.ts'

export interface Ground {
  config: Config
  data: Data
  log: Log
  stack: Stack
}
