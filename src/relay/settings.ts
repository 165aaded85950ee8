import type { RecordingSettings } from './recording.ts'

/** What the request path may be told: plain numbers in ms and bytes, made once from the configuration by the composition root. */
export interface RelaySettings extends RecordingSettings {
  runMode: 'standard' | 'simple'
  maxBodyBytes: number
  /** Largest non-stream answer that is taken in; beyond it the attempt fails. */
  maxAnswerBytes: number
  connectTimeoutMs: number
  firstByteTimeoutMs: number
  streamIdleTimeoutMs: number
  requestTimeoutMs: number
  /** 0: off (REL-15). */
  sseKeepaliveMs: number
  commitWaitMs: number
  onClientDisconnect: 'drain' | 'abort'
  drainTimeoutMs: number
  maxRetryAfterMs: number
  maxAttempts: number
  /** After so long no further account is tried. */
  failoverBudgetMs: number
  queueTimeoutMs: number
  stickyWaitMs: number
  unpricedModels: 'allow' | 'deny'
  /** Output assumed when money is held and the request names no cap (BIL-7). */
  reserveOutputTokens: number
  /** Millionths; where no group says otherwise (BIL-6). */
  defaultRateMultiplier: number
}
