/**
 * Reads one text that an operator named by file or URL: bounded in size and time, and never from an address that the outbound guard forbids
 * (OPS-10). Each redirect is asked about like the first URL, and each name's addresses as well as the name.
 *
 * If it fails: answers with a sentence for the operator; nothing of what was read is kept. Between the look-up and the connection a name may
 * change its address: whoever must rule that out allows no private networks at the network's own edge.
 */
import { lookup } from 'node:dns/promises'
import { open } from 'node:fs/promises'
import { type OutboundPolicy, refuseOutboundAddress, refuseOutboundUrl } from './outbound-guard.ts'

export interface ReadDocumentOptions {
  outbound: OutboundPolicy
  mostBytes: number
  timeoutMs: number
}

/** The text, or why there is none. */
export type ReadDocument = { text: string } | { refusal: string }

const MOST_REDIRECTS = 3

export async function readDocument(source: string, options: ReadDocumentOptions): Promise<ReadDocument> {
  try {
    return /^[a-z][a-z0-9+.-]*:\/\//i.test(source) ? await readUrl(source, options) : await readFile(source, options)
  } catch (error) {
    const { name, code } = error as { name?: string; code?: string }
    if (name === 'TimeoutError') return { refusal: `did not answer within ${options.timeoutMs / 1000} s` }
    return { refusal: `cannot be read: ${code ?? 'no connection'}` }
  }
}

async function readFile(path: string, { mostBytes }: ReadDocumentOptions): Promise<ReadDocument> {
  const file = await open(path)
  try {
    const found = await file.stat()
    if (!found.isFile()) return { refusal: 'is not a file' }
    if (found.size > mostBytes) return tooLarge(mostBytes)
    return { text: await file.readFile('utf8') }
  } finally {
    await file.close()
  }
}

async function readUrl(source: string, options: ReadDocumentOptions): Promise<ReadDocument> {
  const signal = AbortSignal.timeout(options.timeoutMs)
  let url = source
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const refusal = await refuseTarget(url, options.outbound)
    if (refusal !== null) return { refusal }
    const response = await fetch(url, { redirect: 'manual', signal, headers: { accept: 'application/json' } })
    const next = response.status >= 300 && response.status < 400 ? response.headers.get('location') : null
    if (next === null) return await readResponse(response, options.mostBytes)
    await response.body?.cancel().catch(() => {})
    url = URL.parse(next, url)?.href ?? next
  }
  return { refusal: `redirects more than ${MOST_REDIRECTS} times` }
}

/** The URL as written, then every address that its name stands for. */
async function refuseTarget(url: string, policy: OutboundPolicy): Promise<string | null> {
  const refused = refuseOutboundUrl(url, policy)
  if (refused) return refused.message
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
  for (const { address } of await lookup(host, { all: true })) {
    const refusedAddress = refuseOutboundAddress(address, policy)
    if (refusedAddress) return refusedAddress.message
  }
  return null
}

async function readResponse(response: Response, mostBytes: number): Promise<ReadDocument> {
  if (response.status !== 200) {
    await response.body?.cancel().catch(() => {})
    return { refusal: `answered with status ${response.status}` }
  }
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > mostBytes) return tooLarge(mostBytes)
    chunks.push(chunk)
  }
  return { text: Buffer.concat(chunks).toString('utf8') }
}

function tooLarge(mostBytes: number): ReadDocument {
  return { refusal: `is larger than ${mostBytes} bytes` }
}
