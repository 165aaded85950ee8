/**
 * The one call to a platform's token endpoint, through the account's proxy (REL-5).
 *
 * Ends within TIMEOUT_MS whatever the other side does: a row lock is held meanwhile, and Postgres ends transactions that idle for 60 s.
 * If it fails: rejects (no answer, time-out, answer too long); a refusal is an answer like any other.
 */
import type { OutboundGate } from '../lib/outbound-gate.ts'
import type { TokenRequest } from '../providers/oauth/oauth.ts'

export type TokenEndpoint = (
  request: TokenRequest,
  proxyUrl: string | null,
) => Promise<{ status: number; text: string }>

const TIMEOUT_MS = 15_000
const MOST_BYTES = 65_536

/** `gate`: asked where a request may go (OPS-10); null: anywhere. */
export function createTokenEndpoint({
  timeoutMs = TIMEOUT_MS,
  gate = null,
}: {
  timeoutMs?: number
  gate?: OutboundGate | null
} = {}): TokenEndpoint {
  return async ({ url, contentType, body }, proxyUrl) => {
    const refused = await gate?.check(proxyUrl ?? url)
    if (refused) throw refused
    const response = await fetch(url, {
      method: 'POST',
      // Left out, the runtime would put its own name there.
      headers: { 'content-type': contentType, accept: 'application/json', 'user-agent': 'turnpike' },
      body,
      // A redirect would carry the refresh token to wherever it points.
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
      ...(proxyUrl === null ? {} : { proxy: proxyUrl }),
    } as BunFetchRequestInit)
    return { status: response.status, text: await readText(response) }
  }
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > MOST_BYTES) throw new Error(`the token endpoint answered with more than ${MOST_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
