/**
 * A gateway as its operator starts it: the compiled binary alone in an empty folder, with an empty environment but for its port and the
 * settings that a test needs (OPS-3). Seen only from outside: HTTP, its log, /proc.
 */
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { builtBinary } from './binary.ts'
import { spaciousDirectory } from './spacious-directory.ts'
import { atEnd } from './teardown.ts'
import { until } from './until.ts'

export interface Gateway {
  /** "http://localhost:12345" */
  url: string
  pid: number
  adminToken: string
  /** Its folder: the binary and `data`. */
  folder: string
  /** Calls the admin API; throws what it says when that is no success. */
  admin<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<T>
  /** All that it has written so far, both outputs. */
  log(): string
  /** From the start of the process to the first good `/readyz`. */
  readyAfterMs: number
  /** Ends the process and waits for it; the folder stays until `remove`. */
  stop(signal?: NodeJS.Signals): Promise<number>
  /** Stops what runs and removes the folder. */
  remove(): Promise<void>
}

const READY_WITHIN_MS = 60_000
const STOPPED_WITHIN_MS = 20_000

/** `folder`: one that an earlier gateway has left, for a second start. */
export async function startGateway(settings: Record<string, string> = {}, folder?: string): Promise<Gateway> {
  const home = folder ?? (await newFolder())
  const port = await freePort()
  const startedAt = performance.now()
  // Both outputs append to one file: two handles of their own would write over each other.
  writeFileSync(join(home, 'output.log'), '')
  const output = openSync(join(home, 'output.log'), 'a')
  const child = Bun.spawn([join(home, 'turnpike'), 'serve'], {
    cwd: home,
    env: { PORT: String(port), ...settings },
    stdio: ['ignore', output, output],
  })
  closeSync(output)
  const url = `http://localhost:${port}`
  const log = () => readFileSync(join(home, 'output.log'), 'utf8')

  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    child.kill(signal)
    const killer = setTimeout(() => child.kill('SIGKILL'), STOPPED_WITHIN_MS)
    const code = await child.exited
    clearTimeout(killer)
    return code
  }
  async function remove(): Promise<void> {
    await stop()
    endLeftPostgres(home)
    rmSync(home, { recursive: true, force: true })
  }
  atEnd(remove)

  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  await until(() => hasEnded() || isReady(url), { what: `${url}/readyz`, withinMs: READY_WITHIN_MS })
  const readyAfterMs = performance.now() - startedAt
  if (hasEnded()) throw new Error(`the gateway ended with ${child.exitCode ?? child.signalCode}:\n${log()}`)
  const adminToken = settings.ADMIN_TOKEN ?? readFileSync(join(home, 'data/admin-token'), 'utf8').trim()
  const admin = createAdminCaller(url, adminToken)
  return { url, pid: child.pid, adminToken, folder: home, admin, log, readyAfterMs, stop, remove }
}

/** The database server drops root, so it must be able to pass through. */
async function newFolder(): Promise<string> {
  const home = mkdtempSync(join(spaciousDirectory(), 'turnpike-e2e-'))
  chmodSync(home, 0o755)
  copyFileSync(await builtBinary(), join(home, 'turnpike'), constants.COPYFILE_FICLONE)
  return home
}

/** Below the ports that the kernel gives to outgoing connections. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000)
    const free = await new Promise<boolean>((resolve) => {
      const probe = net.createServer()
      probe.once('error', () => resolve(false))
      probe.listen(port, '0.0.0.0', () => probe.close(() => resolve(true)))
    })
    if (free) return port
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`)).ok
  } catch {
    return false
  }
}

function createAdminCaller(url: string, token: string): Gateway['admin'] {
  return async (method, path, body) => {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === '' ? null : JSON.parse(text)
  }
}

/** A gateway that had to be killed leaves its database server behind. */
function endLeftPostgres(home: string): void {
  try {
    const [pid] = readFileSync(join(home, 'data/postgres/cluster/postmaster.pid'), 'utf8').split('\n')
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    if (command.includes(home)) process.kill(Number(pid), 'SIGKILL')
  } catch {
    // None is left.
  }
}
