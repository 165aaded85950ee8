/** Requests under way, for tests: a believable one, of which each test names only what it is about. */
import type { LiveRequest } from '../../src/core/live-request.ts'
import { NO_USAGE } from '../../src/core/usage.ts'
import { newId } from '../../src/lib/ids.ts'
import { NOON } from './receipts.ts'

export function makeLive(parts: Partial<LiveRequest> = {}): LiveRequest {
  const createdAtMs = parts.createdAtMs ?? NOON
  return {
    id: newId(createdAtMs),
    status: 'streaming',
    userId: null,
    keyId: null,
    accountId: null,
    groupId: null,
    subscriptionId: null,
    platform: 'openai',
    protocol: 'openai-responses',
    endpoint: '/v1/responses',
    model: 'gpt-5',
    upstreamModel: 'gpt-5-2026-05-01',
    billingType: 'none',
    stream: true,
    attempts: 1,
    usage: { ...NO_USAGE, input: 10, output: 5 },
    costNano: 1_000n,
    userAgent: 'codex_cli_rs/0.50.0',
    clientIp: null,
    createdAtMs,
    firstTokenMs: 300,
    ...parts,
  }
}
