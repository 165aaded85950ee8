/**
 * What the gateway decides and notes for each request, without sockets: bun test/bench/policy.ts
 *
 * Steps of the relay on one request, called as the relay calls them: a chat completion of 1.3 kB with an answer of 2 kB, one account, no limits
 * of the key's own. CPU, median of 9 rounds of 20,000 requests. Hot: in a process that also serves sockets the same takes several times as long.
 * The key's hash is bench `keys`, the record's way to the database bench `flush`.
 */
import { builtInPrices } from '../../src/core/built-in-prices.ts'
import { isDenial } from '../../src/core/denial.ts'
import { receiptLine } from '../../src/db/receipt-rows.ts'
import { newId } from '../../src/lib/ids.ts'
import { admit } from '../../src/relay/admit.ts'
import { authenticate } from '../../src/relay/authenticate.ts'
import { takeAccount } from '../../src/relay/choose.ts'
import { type Exchange, releaseSlot } from '../../src/relay/exchange.ts'
import { bindSession } from '../../src/relay/session-binding.ts'
import { settle } from '../../src/relay/settle.ts'
import { createLiveStats } from '../../src/state/live-stats.ts'
import { makeAccount } from '../support/make.ts'
import { createTestRelay } from '../support/relay.ts'

const ROUNDS = 9
const REQUESTS = 20_000
const MODEL = 'gpt-4o-mini'
const encoder = new TextEncoder()
const body = encoder.encode(
  JSON.stringify({
    model: MODEL,
    max_tokens: 1000,
    messages: [
      { role: 'system', content: 'You are a coding agent.' },
      { role: 'user', content: 'x'.repeat(1200) },
    ],
  }),
)
const answer = encoder.encode(
  JSON.stringify({
    id: 'c1',
    object: 'chat.completion',
    model: MODEL,
    choices: [{ index: 0, message: { role: 'assistant', content: 'x'.repeat(1800) }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 300, completion_tokens: 450, total_tokens: 750 },
  }),
)

const account = makeAccount({ id: crypto.randomUUID(), credentials: { apiKey: 'sk-bench' } })
const relay = await createTestRelay({ accounts: [account], script: () => 'hang', prices: builtInPrices() })
const { deps } = relay
const stats = createLiveStats({ timeZone: 'UTC', mostDetails: 1000 })
let written = 0
deps.accept = (receipt) => {
  written += receiptLine(receipt).length
  stats.record(receipt)
  stats.flushed([receipt])
  return null
}

/** A request as it is right before its first try: everything that a step may ask of it is there. */
const sample = await heldExchange()
const { call } = sample
const { protocol, operation } = call

const fresh = (): Exchange => ({
  ...sample,
  id: newId(deps.nowMs()),
  admission: null,
  attempts: [],
  attemptStartedAt: [],
  choice: null,
  session: null,
  binding: null,
  account: null,
  slot: null,
  settled: false,
})

const ANSWERED = { ending: 'completed', httpStatus: 200, errorCode: null, errorMessage: null } as const
const reading = reads()

const steps: [name: string, run: (exchange: Exchange) => void][] = [
  ['an exchange for each of the others', () => undefined],
  ['who asks, but for the hash of the key', asks],
  ['what the body says', inspects],
  ['limits and money: taken, and given back', admitsAndCancels],
  ['account: session, choice, slot', chooses],
  ['what the answer says', reads],
  ['end: cost, receipt, its line, statistics', ends],
  ['all of them, in order', everything],
]
console.log('CPU, µs a request')
for (const [name, run] of steps) console.log(`${name.padEnd(42)} ${measured(run).toFixed(1)}`)
relay.watchdog.stop()

function asks(): void {
  const caller = authenticate({ ...deps, simple: false, recordClientIp: false }, call, deps.nowMs())
  if (isDenial(caller)) throw new Error(caller.message)
}

function inspects(): void {
  const said = protocol.inspect(operation, body, call.target)
  if (isDenial(said) || said.model !== MODEL) throw new Error('the body was not understood')
}

function admitsAndCancels(exchange: Exchange): void {
  admits(exchange)
  void exchange.admission?.cancel()
}

function admits(exchange: Exchange): void {
  if (admit(deps, exchange) !== null) throw new Error('not admitted, or not at once')
}

function chooses(exchange: Exchange): void {
  const taken = takeAccount(deps, exchange, new Set())
  if (typeof taken === 'string' || taken instanceof Promise) throw new Error('no account, or not at once')
  bindSession(deps, exchange, taken.entry.account.id)
  releaseSlot(exchange)
}

function reads() {
  const meter = protocol.meter(operation, 'json')
  meter.push(answer)
  const reading = meter.read()
  if (reading.usage?.output !== 450) throw new Error('the answer was not understood')
  return reading
}

function ends(exchange: Exchange): void {
  exchange.attempts.push({
    accountId: account.id,
    status: 200,
    durationMs: 1,
    reason: null,
    upstreamRequestId: 'req_1',
    usage: null,
  })
  exchange.account ??= account
  settle(deps, exchange, { ...ANSWERED, reading, relayedBytes: answer.length })
}

function everything(exchange: Exchange): void {
  asks()
  inspects()
  admits(exchange)
  chooses(exchange)
  reads()
  ends(exchange)
}

function measured(run: (exchange: Exchange) => void): number {
  const round = () => {
    const before = written
    const cpu = process.cpuUsage()
    for (let left = REQUESTS; left > 0; left--) run(fresh())
    const { user, system } = process.cpuUsage(cpu)
    if ((run === ends || run === everything) && written - before < REQUESTS * 500)
      throw new Error('not every line was made')
    return (user + system) / REQUESTS
  }
  round()
  const all = Array.from({ length: ROUNDS }, round).sort((a, b) => a - b)
  return all[ROUNDS >> 1] as number
}

async function heldExchange(): Promise<Exchange> {
  void relay.call('chat_completions', new TextDecoder().decode(body), { key: 'key-1' })
  while ([...deps.live].every(({ account: chosen }) => chosen === null)) await Bun.sleep(1)
  const [exchange] = deps.live
  if (!exchange) throw new Error('no request')
  exchange.body = body
  return exchange
}
