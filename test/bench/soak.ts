/**
 * Half an hour (or as long as one likes) of mixed load on the compiled binary: streams, whole answers, clients that leave, failing accounts, wrong
 * keys, over the four protocols (OPS-1, OPS-2, REL-14). A line each minute, and at the end what must be true. By hand:
 *
 *   bun test/bench/soak.ts [MINUTES] [REQUESTS_PER_SECOND]
 *
 * At the end: nothing in flight, provider connections no more than the idle ones kept, memory of the second half level; then SIGTERM amid streams,
 * which must all come whole, and after a new start one record for each request that got past authentication, and a doctor without a fault.
 */
import { askDoctor } from '../support/crash-scene.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { residentBytes } from '../support/process-memory.ts'
import { createSoakLoad, type SoakKeys, type SoakLoad } from '../support/soak-load.ts'
import { type SoakUpstream, startSoakUpstream } from '../support/soak-upstream.ts'
import { readGauges, sampleMemory } from '../support/soak-watch.ts'
import { tearDown } from '../support/teardown.ts'
import { until } from '../support/until.ts'

const [minutes = '30', rate = '200'] = process.argv.slice(2)
const MINUTE_MS = 60_000
/** More than garbage explains, less than a leak of 100 bytes a request in a quarter of an hour at the usual rate. */
const GROWTH_ALLOWED_BYTES = 16e6
/** As many as the gateway keeps idle for one origin. */
const IDLE_SOCKETS = 128
const BURST = 40
const RESET_EVERY_MS = 300

interface Made {
  id: string
  api_key: string
}

interface Stage {
  keys: SoakKeys
  /** Ids of the accounts that fail. */
  sick: string[]
}

async function furnish({ admin }: Gateway, upstreamUrl: string): Promise<Stage> {
  const sick: string[] = []
  const { data: groups } = await admin<{ data: { id: string; platform: string }[] }>('GET', '/admin/groups')
  for (const { id, platform } of groups.filter(({ platform }) => platform !== 'bedrock')) {
    for (const name of ['sound-1', 'sound-2', 'sound-3', 'sick-1', 'sick-2']) {
      const credentials = { api_key: `sk-of-${name}`, base_url: `${upstreamUrl}/${name}` }
      const fields = { name: `${platform} ${name}`, platform, type: 'api_key', concurrency: 300, group_ids: [id] }
      const { id: accountId } = await admin<Made>('POST', '/admin/accounts', { ...fields, credentials })
      if (name.startsWith('sick')) sick.push(accountId)
    }
  }
  async function makeKey(name: string, limits: object): Promise<string> {
    const user = await admin<Made>('POST', '/admin/users', { email: `${name}@example.com`, username: name })
    await admin('POST', `/admin/users/${user.id}/balance`, { amount_usd: 10_000, note: 'for the soak' })
    return (await admin<Made>('POST', '/admin/keys', { name, user_id: user.id, ...limits })).api_key
  }
  const modes = Array.from({ length: 20 }, (_, index) => (index % 2 ? 'drain' : 'abort'))
  const plain = modes.map((mode, index) => makeKey(`plain-${index}`, { on_client_disconnect: mode }))
  const limited = [
    makeKey('rate', { rate_limit_window: 1, rate_limit_requests: 100 }),
    makeKey('slots', { concurrency_limit: 1 }),
  ]
  return { keys: { plain: await Promise.all(plain), limited: await Promise.all(limited) }, sick }
}

/** Failing accounts would soon be left alone for hours; somebody keeps believing in them. Ends by the function that it returns. */
function keepResetting({ admin }: Gateway, accounts: readonly string[]): () => Promise<void> {
  let isOn = true
  async function run(): Promise<void> {
    for (let turn = 0; isOn; turn++) {
      await admin('POST', `/admin/accounts/${accounts[turn % accounts.length]}/reset`)
      await Bun.sleep(RESET_EVERY_MS)
    }
  }
  const running = run()
  return async () => {
    isOn = false
    await running
  }
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0)

interface Running {
  gateway: Gateway
  upstream: SoakUpstream
  load: SoakLoad
}

async function watchFor(count: number, { gateway, upstream, load }: Running): Promise<void> {
  let before = (await readGauges(gateway.url)).cpuSeconds
  for (let minute = 1; minute <= count; minute++) {
    await Bun.sleep(MINUTE_MS)
    const gauges = await readGauges(gateway.url)
    const { p50, p99, max } = gauges.delayMs
    const { endings } = load
    const columns = [
      `min ${minute}`,
      `rss ${megabytes(residentBytes(gateway.pid))} MB`,
      `cpu ${(((gauges.cpuSeconds - before) / 60) * 100).toFixed(0)} %`,
      `upstream sockets ${upstream.sockets} (busy ${upstream.busy})`,
      `in flight ${gauges.inFlight} queued ${gauges.queued}`,
      `delay ms ${p50.toFixed(1)}/${p99.toFixed(1)}/${max.toFixed(0)}`,
      `backlog ${gauges.backlog}`,
      `journal ${(gauges.journalBytes / 1000).toFixed(0)} kB`,
      `requests ${gauges.requests}`,
      Object.entries(endings)
        .map(([name, times]) => `${name} ${times}`)
        .join(' '),
      `held back ${load.heldBack}`,
    ]
    before = gauges.cpuSeconds
    console.log(columns.join(' · '))
  }
}

const problems: string[] = []
function check(isSo: boolean, what: string): void {
  console.log(`${isSo ? 'ok   ' : 'FAULT'} ${what}`)
  if (!isSo) problems.push(what)
}

async function checkIdle({ gateway, upstream }: Running): Promise<void> {
  const isIdle = async () => {
    const { inFlight, backlog } = await readGauges(gateway.url)
    return inFlight === 0 && backlog === 0 && upstream.busy === 0
  }
  // A drain may take up to a minute; none here does.
  await until(isIdle, { what: 'idleness', withinMs: 30_000, everyMs: 200 }).catch(() => undefined)
  const gauges = await readGauges(gateway.url)
  check(gauges.inFlight === 0 && gauges.queued === 0, `in flight ${gauges.inFlight}, queued ${gauges.queued}`)
  check(gauges.bodyBytes === 0, `bytes of bodies held: ${gauges.bodyBytes}`)
  check(gauges.backlog === 0, `records that wait for the database: ${gauges.backlog}`)
  const { sockets, busy } = upstream
  check(busy === 0 && sockets <= IDLE_SOCKETS, `connections to providers: ${sockets}, busy ${busy}`)
}

/** SIGTERM amid streams (OPS-2), then a new start on what is left. */
async function restart({ gateway, load }: Running): Promise<Gateway> {
  const { whole, told } = load.endings
  const ended = () => load.endings.whole + load.endings.told - whole - told
  const burst = load.burst(BURST)
  // A failing account may end one of them early.
  const areUnderWay = async () => (await readGauges(gateway.url)).inFlight + ended() >= BURST
  await until(areUnderWay, { what: 'the burst to be under way' })
  const [code] = await Promise.all([gateway.stop(), burst])
  check(ended() === BURST, `of ${BURST} streams under way at SIGTERM ${ended()} came to their end`)
  check(code === 0, `exit code ${code}`)
  return startGateway({}, gateway.folder)
}

interface UsageRow {
  id: string
  attempts: { reason: string | null }[]
}

/** Reads every record once, by page. */
async function checkRecords({ gateway, upstream, load }: Running): Promise<void> {
  const ids = new Set<string>()
  let [records, attempts, left] = [0, 0, 0]
  let cursor: string | null = ''
  while (cursor !== null) {
    const page: { data: UsageRow[]; next_cursor: string | null } = await gateway.admin(
      'GET',
      `/admin/usage?limit=1000${cursor && `&cursor=${cursor}`}`,
    )
    for (const row of page.data) {
      records++
      ids.add(row.id)
      attempts += row.attempts.length
      left += row.attempts.filter(({ reason }) => reason === 'client_left').length
    }
    cursor = page.next_cursor
  }
  const { certain, doubtful } = load
  check(ids.size === records, `${records} records, ${ids.size} different ids`)
  check(
    records >= certain && records <= certain + doubtful,
    `${certain} requests past authentication, ${doubtful} more of which nobody can tell`,
  )
  const missing = [...load.ids].filter((id) => !ids.has(id)).length
  check(missing === 0, `answers with an id ${load.ids.size}, without a record ${missing}`)
  check(
    upstream.seen <= attempts + upstream.reset && upstream.seen >= attempts - left,
    `attempts in the records ${attempts}, of which ${left} lost their client; requests that providers saw ${upstream.seen}, of which they reset ${upstream.reset}`,
  )
}

const upstream = await startSoakUpstream()
let gateway = await startGateway()
try {
  const { keys, sick } = await furnish(gateway, upstream.url)
  const load = createSoakLoad(() => gateway.url, upstream, keys)
  const memory = sampleMemory(gateway.pid)
  console.log(`${rate} requests/s for ${minutes} minutes; rss ${megabytes(residentBytes(gateway.pid))} MB at the start`)
  const stopResetting = keepResetting(gateway, sick)
  load.start(Number(rate))
  await watchFor(Number(minutes), { gateway, upstream, load })
  memory.stop()
  await stopResetting()
  await load.stop()
  await checkIdle({ gateway, upstream, load })
  const growth = memory.secondHalfGrowth()
  console.log(`lowest memory of each quarter: ${memory.floors().map(megabytes).join(', ')} MB`)
  check(growth < GROWTH_ALLOWED_BYTES, `memory grew by ${(growth / 1e6).toFixed(1)} MB over the second half`)
  gateway = await restart({ gateway, upstream, load })
  await checkRecords({ gateway, upstream, load })
  const { endings, faults } = load
  check(endings.failed + endings.torn === 0, `failed ${endings.failed}, torn ${endings.torn}`)
  check(
    endings.told === upstream.cut,
    `streams cut by providers whose clients had stayed ${upstream.cut}, clients that were told ${endings.told}`,
  )
  for (const fault of faults) console.log(fault)
  const doctor = await askDoctor(gateway)
  check(doctor === '', `doctor ${doctor || 'finds no fault'}`)
} finally {
  await tearDown()
  await upstream.stop()
}
console.log(problems.length === 0 ? 'all is well' : `${problems.length} faults`)
process.exit(problems.length === 0 ? 0 : 1)
