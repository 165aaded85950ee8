/**
 * What relaying costs, beside nginx (a plain reverse proxy, the practical limit) and a bare pass-through over Bun's fetch, in one run:
 *
 *   bun test/bench/relay.ts [--rounds 5] [--works json,full] [--json FILE] [--svg FILE]
 *
 * The compiled binary with everything on: key check, limits, hold, choice, tap, journal, statistics, embedded database. Sides take turns with the
 * same work; told is the CPU of each side's process a request (from /proc, without the database server, which has a column of its own), and the
 * median and spread of the rounds' ratios to nginx. Where nginx is not on the PATH it says so, and the pass-through is what is compared with.
 * On loopback; ends by itself.
 */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { RUNTIME } from '../../src/runtime.ts'
import { startGateway } from '../support/gateway.ts'
import { residentBytes } from '../support/process-memory.ts'
import { until } from '../support/until.ts'
import { barChart } from './relay/chart.ts'
import { WORKS, type Work } from './relay/work.ts'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    works: { type: 'string', default: WORKS.map(({ name }) => name).join(',') },
    json: { type: 'string' },
    svg: { type: 'string' },
  },
})
const ROUNDS = Number(options.rounds)
const TICK_MS = 10

interface Side {
  name: string
  pid: number
  url(work: Work): string
  key?: string
}

interface Turn {
  side: string
  /** CPU of its process, µs a request; of its database's, 0 without one. */
  cpuMicros: number
  databaseMicros: number
  firstByteMs: number
  residentMb: number
}

const folder = mkdtempSync(join(tmpdir(), 'turnpike-bench-'))
chmodSync(folder, 0o755)
const started: Bun.Subprocess[] = []

/** A script of ./relay; resolves with the port that it prints. */
async function startScript(file: string, ...args: string[]): Promise<{ pid: number; port: number }> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'relay', file), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...RUNTIME, ...process.env },
  })
  started.push(child)
  const { value } = await child.stdout.getReader().read()
  return { pid: child.pid, port: Number(new TextDecoder().decode(value)) }
}

async function startNginx(upstreamPort: number): Promise<Side | null> {
  const program = Bun.which('nginx', { PATH: `${process.env.PATH}:/usr/sbin` })
  if (program === null) return null
  const port = 20_000 + Math.floor(Math.random() * 10_000)
  const file = join(folder, 'nginx.conf')
  writeFileSync(
    file,
    `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log; events { worker_connections 20000; }
    http { access_log off; client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u;
    scgi_temp_path ${folder}/s; client_max_body_size 0; client_body_buffer_size 2m; keepalive_requests 1000000;
    upstream provider { server 127.0.0.1:${upstreamPort}; keepalive 2000; keepalive_requests 1000000; }
    server { listen 127.0.0.1:${port} backlog=4096; location / { proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header connection "";
    proxy_buffering off; } } }`,
  )
  const child = Bun.spawn([program, '-c', file], { stdio: ['ignore', 'ignore', 'ignore'] })
  started.push(child)
  await until(() => fetch(`http://127.0.0.1:${port}/json`, { method: 'POST' }).then(Boolean, () => false), {
    what: 'nginx',
  })
  return { name: 'nginx', pid: child.pid, url: ({ name }) => `http://127.0.0.1:${port}/${name}/v1/chat/completions` }
}

async function startTurnpike(upstreamPort: number) {
  const gateway = await startGateway({ LOG_LEVEL: 'warn' })
  const user = await gateway.admin<{ id: string }>('POST', '/admin/users', {
    email: 'bench@example.com',
    username: 'bench',
  })
  await gateway.admin('POST', `/admin/users/${user.id}/balance`, { amount_usd: 100_000, note: 'bench' })
  const keys = new Map<string, string>()
  for (const { name } of WORKS) {
    const group = await gateway.admin<{ id: string }>('POST', '/admin/groups', {
      name: `bench ${name}`,
      platform: 'openai',
    })
    const credentials = { api_key: 'sk-bench', base_url: `http://127.0.0.1:${upstreamPort}/${name}` }
    const account = { name: `bench ${name}`, platform: 'openai', type: 'api_key', credentials, group_ids: [group.id] }
    await gateway.admin('POST', '/admin/accounts', account)
    const key = { name, user_id: user.id, group_id: group.id, concurrency_limit: 100_000 }
    keys.set(name, (await gateway.admin<{ api_key: string }>('POST', '/admin/keys', key)).api_key)
  }
  const side: Side = { name: 'turnpike', pid: gateway.pid, url: () => `${gateway.url}/v1/chat/completions` }
  return { side, keys, gateway }
}

async function load(side: Side, work: Work): Promise<{ requests: number; failed: number; firstByteMs: number }> {
  const args = [work.name, side.url(work), ...(side.key ? [side.key] : [])]
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'relay/load.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return JSON.parse(await new Response(child.stdout).text())
}

/** CPU so far of a process and its children, ms: those of the database server apart. */
function cpuMs(pid: number): { own: number; database: number } {
  const sum = { own: 0, database: 0 }
  const stats = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap(statOf)
  const add = (of: number): void => {
    for (const stat of stats.filter(({ pid }) => pid === of)) {
      if (stat.command.startsWith('postgres')) sum.database += stat.ticks * TICK_MS
      else sum.own += stat.ticks * TICK_MS
    }
    for (const child of stats.filter(({ parent }) => parent === of)) add(child.pid)
  }
  add(pid)
  return sum
}

function statOf(pid: string) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const end = text.lastIndexOf(')')
    const fields = text.slice(end + 2).split(' ')
    const ticks = Number(fields[11]) + Number(fields[12])
    return [{ pid: Number(pid), command: text.slice(text.indexOf('(') + 1, end), parent: Number(fields[1]), ticks }]
  } catch {
    return []
  }
}

async function turn(side: Side, work: Work): Promise<Turn> {
  const before = cpuMs(side.pid)
  const { requests, failed, firstByteMs } = await load(side, work)
  if (failed > 0) throw new Error(`${side.name}: ${failed} of ${requests} requests failed`)
  // What turnpike still writes belongs to the work.
  if (side.key) await Bun.sleep(1500)
  const after = cpuMs(side.pid)
  const each = (ms: number) => (ms * 1000) / requests
  const residentMb = residentBytes(side.pid) / 1024 / 1024
  return {
    ...{ side: side.name, firstByteMs, residentMb },
    cpuMicros: each(after.own - before.own),
    databaseMicros: each(after.database - before.database),
  }
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

async function measure(work: Work, sides: readonly Side[]) {
  for (const side of sides) for (let warm = 0; warm < 3; warm++) await load(side, work)
  const turns: Turn[] = []
  for (let round = 0; round < ROUNDS; round++) for (const side of sides) turns.push(await turn(side, work))
  const of = (name: string) => turns.filter(({ side }) => side === name)
  const base = of(sides[0]?.name ?? '')
  console.log(`\n${work.title}`)
  const rows = sides.map(({ name }) => {
    const own = of(name)
    const ratios = own.map(({ cpuMicros }, round) => cpuMicros / (base[round]?.cpuMicros ?? Number.NaN))
    const row = {
      side: name,
      'CPU µs/request': Math.round(median(own.map(({ cpuMicros }) => cpuMicros)) * 10) / 10,
      [`times ${sides[0]?.name}`]: Math.round(median(ratios) * 100) / 100,
      spread: `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`,
      'database µs': Math.round(median(own.map(({ databaseMicros }) => databaseMicros))),
      'first byte ms': Math.round(median(own.map(({ firstByteMs }) => firstByteMs)) * 100) / 100,
      MB: Math.round(Math.max(...own.map(({ residentMb }) => residentMb))),
    }
    return row
  })
  console.table(rows)
  const ratio = median(of('turnpike').map(({ cpuMicros }, round) => cpuMicros / (base[round]?.cpuMicros ?? Number.NaN)))
  return { work: work.name, title: work.title, against: sides[0]?.name ?? '', ratio, turns }
}

const upstream = await startScript('upstream.ts')
const nginx = await startNginx(upstream.port)
if (nginx === null) console.log('No nginx on the PATH: the pass-through takes its place.')
const plain = await startScript('pass-through.ts', `http://127.0.0.1:${upstream.port}`)
const passThrough: Side = {
  name: 'pass-through',
  pid: plain.pid,
  url: ({ name }) => `http://127.0.0.1:${plain.port}/${name}/v1/chat/completions`,
}
const { side, keys, gateway } = await startTurnpike(upstream.port)
const results = []
try {
  for (const work of WORKS.filter(({ name }) => options.works.split(',').includes(name))) {
    const turnpike = { ...side, key: keys.get(work.name) ?? '' }
    results.push(await measure(work, [...(nginx ? [nginx] : []), passThrough, turnpike]))
  }
  if (options.json) writeFileSync(options.json, JSON.stringify(results, null, 1))
  if (options.svg) writeFileSync(options.svg, barChart(results))
} finally {
  for (const child of started) child.kill()
  await gateway.remove()
  rmSync(folder, { recursive: true, force: true })
}
