/** Loaded before every test file (bunfig.toml): stops the servers that tests started, after the last file. */
import { afterAll, setDefaultTimeout } from 'bun:test'
import { tearDown } from './teardown.ts'

// For a file that is run by itself: on a busy machine its database takes longer than a hook's five seconds.
setDefaultTimeout(60_000)
afterAll(tearDown)
