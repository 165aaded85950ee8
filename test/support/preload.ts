/**
 * Loaded before every test file (bunfig.toml): a patient time limit, as CI machines are slow and shared, and the end of
 * the servers that tests started, after the last file.
 */
import { afterAll, setDefaultTimeout } from 'bun:test'
import { tearDown } from './teardown.ts'

setDefaultTimeout(60_000)
afterAll(tearDown)
