/** Loaded before every test file (bunfig.toml): stops the servers that tests started, after the last file. */
import { afterAll } from 'bun:test'
import { tearDown } from './teardown.ts'

afterAll(tearDown)
