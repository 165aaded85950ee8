/**
 * Takes an upstream's answer out of its provider's envelope, so that everything behind (gate, meter, tap, client) sees the protocol alone.
 * If it fails: a damaged stream breaks like a torn connection: the call is hung up and `pipe` rejects (REL-13).
 */
import type { Operation } from '../protocols/protocol.ts'
import type { Envelope, Unwrapping } from '../providers/provider.ts'
import { providerFor } from '../providers/table.ts'
import type { Exchange } from './exchange.ts'
import type { UpstreamAnswer, UpstreamBody } from './upstream.ts'

/** The part of the call that unwrapping needs: somebody must know that bytes came, and hang up on bad ones. */
export interface UnwrappedCall {
  watched: { touch(): void }
  abort(reason: string): void
}

export function unwrap(
  envelope: Envelope,
  { operation, modelId }: { operation: Operation; modelId: string },
  { call, answer }: { call: UnwrappedCall; answer: UpstreamAnswer },
): UpstreamAnswer {
  const { status, headers, body } = answer
  const contentType = headers.get('content-type') ?? ''
  return {
    status,
    headers,
    body: {
      pipe: (onChunk) => pipeUnwrapped(envelope.stream({ contentType, modelId }), body, { call, onChunk }),
      bytes: async (most) => envelope.whole(operation, await body.bytes(most)),
    },
  }
}

type OnChunk = Parameters<UpstreamBody['pipe']>[0]

async function pipeUnwrapped(
  filter: Unwrapping | null,
  body: UpstreamBody,
  { call, onChunk }: { call: UnwrappedCall; onChunk: OnChunk },
): Promise<void> {
  if (filter === null) return body.pipe(onChunk)
  try {
    await body.pipe((chunk) => {
      // Half a frame says nothing yet, but it is no silence (REL-15).
      call.watched.touch()
      const unwrapped = filter.push(chunk)
      const wait = unwrapped.length === 0 ? undefined : onChunk(unwrapped)
      if (filter.damage) throw filter.damage
      return wait
    })
    const last = filter.end()
    if (last.length > 0) await onChunk(last)
    if (filter.damage) throw filter.damage
  } catch (error) {
    call.abort('the stream is damaged')
    throw error
  }
}

/** How the answers of the upstream's model call it (REL-10); null before an account was chosen. */
export function nameInAnswers({ account, upstreamModel }: Exchange): string | null {
  if (account === null || upstreamModel === null) return upstreamModel
  return providerFor(account.platform, account.type)?.envelope?.nameInAnswers(upstreamModel) ?? upstreamModel
}
