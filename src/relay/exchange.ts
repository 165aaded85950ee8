/**
 * One relayed request from its first byte to its receipt: a fixed-shape record that each step of the relay fills in (design: "one record
 * in, one record out"). Steps read what earlier steps wrote; nobody else keeps state about a request.
 */
import type { Account, Group, User } from '../core/entities.ts'
import type { KeyPolicy } from '../core/key.ts'
import type { Platform } from '../core/platform.ts'
import type { Payer } from '../core/quota.ts'
import type { Attempt, ChoiceExplained } from '../core/receipt.ts'
import type { Inspected, Operation, Protocol, Reading, RequestTarget } from '../protocols/protocol.ts'
import type { AccountSlot } from '../state/account-slots.ts'
import type { Admission } from '../state/limiter.ts'
import type { Recording } from './recording.ts'

/** What the HTTP room hands over: the request and which endpoint it is. */
export interface Call {
  request: Request
  target: RequestTarget
  protocol: Protocol
  operation: Operation
  /** "v1" or "v1beta", as called: only Gemini's upstream URL needs it. */
  version: string
  /** The client's address; asked for only where it is needed. */
  address(): string | null
  /** Key given in the query (`?key=`, KEY-2), already taken out of `target`. */
  queryKey: string | null
}

/** What a response has said about itself, and how much of it went by. */
export interface Progress {
  reading: Reading | null
  /** Bytes of the answer without what came before its content (BIL-9). */
  relayedBytes: number
}

/** A stream under way. */
export interface ProgressSource {
  soFar(): Progress
}

/** Told when the client has left, or is taken for gone; perhaps more than once. */
export interface ClientWatcher {
  clientLeft(): void
}

export interface Exchange {
  id: string
  call: Call
  createdAtMs: number
  /** Monotonic ms at the start, for durations. */
  startedAt: number
  policy: KeyPolicy
  user: User | null
  group: Group | null
  userAgent: string
  address: string | null
  /** Empty until it was read, and again once no other account can be asked (`letGoOfBody`). */
  body: Uint8Array
  bodyBytes: number
  /** Of the budget of all bodies together; given back by `settle`. */
  heldBytes: number
  inspected: Inspected | null
  /** Who pays (BIL-10); null until admitted. */
  payer: Payer | null
  /** What it holds of limits and money; given back by `settle`. */
  admission: Admission | null
  attempts: Attempt[]
  /** Monotonic ms, one for each of `attempts`. */
  attemptStartedAt: number[]
  choice: ChoiceExplained | null
  /** Hash of the session that it belongs to (ACC-4); null: not looked for yet, or nothing to go by. */
  session: string | null
  /** Where that session is bound, in the pool that was asked last. */
  binding: Binding | null
  /** The account that is serving or served last, and what it calls the model. */
  account: Account | null
  /** Its slot on that account (ACC-7). */
  slot: AccountSlot | null
  upstreamModel: string | null
  upstreamRequestId: string | null
  firstTokenMs: number | null
  /** How far a stream is, read when somebody asks (USE-4); null until its first byte goes to the client. */
  progress: ProgressSource | null
  /** Headers and bodies, where they are to be kept (USE-1). */
  recording: Recording | null
  clientGone: boolean
  /** The step that is under way, if it does something when the client leaves (REL-14). */
  clientWatcher: ClientWatcher | null
  settled: boolean
  /** The client's end waits for it: its record is on its way to the disk. Null: nothing to wait for. */
  recorded: Promise<void> | null
}

export interface Binding {
  key: string
  /** Null: it is not bound yet. */
  accountId: string | null
}

export const NO_BODY = new Uint8Array()

/** Gives the account's slot back, once. */
export function releaseSlot(exchange: Exchange): void {
  exchange.slot?.release()
  exchange.slot = null
}

/** Whose accounts serve it: for prices and records. */
export function platformOf({ account, group, call }: Exchange): Platform {
  return account?.platform ?? group?.platform ?? call.protocol.platform
}

export function elapsedMs(exchange: Exchange): number {
  return Math.round(performance.now() - exchange.startedAt)
}

/** What a failed try has measured stays with it, so that the operator's bill can be reconciled (BIL-9). */
export function keepAttemptUsage({ attempts }: Exchange, { usage }: Reading): void {
  const attempt = attempts.at(-1)
  if (attempt) attempt.usage = usage
}
