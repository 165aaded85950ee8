/** Loaded before every test file (bunfig.toml): stops the servers that tests started, after the last file. */
import { afterAll, setDefaultTimeout } from 'bun:test'
import { tearDown } from './teardown.ts'

// Hooks are not covered by bunfig's limit: on a busy machine the first database of a run takes longer than their five seconds.
setDefaultTimeout(60_000)
afterAll(tearDown)
