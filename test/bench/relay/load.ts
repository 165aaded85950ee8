/**
 * The clients of the relay's bench, a process of its own: `bun load.ts WORK URL [KEY]` does the work once and prints what came of it as JSON.
 * Every answer's bytes are counted against what the upstream sends: a side that loses or adds some fails.
 */
import { createHttp1Client } from '../../../src/lib/http1-client.ts'
import { answerParts, requestBody, WORKS } from './work.ts'

const [name, url = '', key] = process.argv.slice(2)
const work = WORKS.find((candidate) => candidate.name === name)
if (!work) throw new Error(`no work is called ${name}`)

const expected = answerParts(work).reduce((sum, part) => sum + Buffer.byteLength(part), 0)
const body = Buffer.from(requestBody(work))
const headers: Record<string, string> = { 'content-type': 'application/json', 'user-agent': 'bench' }
if (key) headers.authorization = `Bearer ${key}`
const client = createHttp1Client({ mostIdlePerOrigin: 10_000 })

let failed = 0
let begun = 0
const firstByteMs: number[] = []

function ask(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const startedAt = performance.now()
  let bytes = 0
  let status = 0
  const fail = () => {
    failed++
    resolve()
  }
  client.send(
    { url, method: 'POST', headers, body, proxyUrl: null },
    {
      onHead: (head) => {
        status = head.status
      },
      onData(chunk) {
        if (bytes === 0) firstByteMs.push(performance.now() - startedAt)
        bytes += chunk.length
      },
      onEnd: () => (status === 200 && bytes === expected ? resolve() : fail()),
      onFail: fail,
    },
  )
  return promise
}

async function connection(): Promise<void> {
  while (begun < (work?.requests ?? 0)) {
    begun++
    await ask()
  }
}

await Promise.all(Array.from({ length: work.connections }, connection))
client.close()
firstByteMs.sort((a, b) => a - b)
const medianMs = firstByteMs[firstByteMs.length >> 1] ?? null
console.log(JSON.stringify({ requests: work.requests, failed, firstByteMs: medianMs }))
process.exit(0)
