/** The configuration as the request path reads it: one object, updated in place when an operator changes a run-time setting. */
import type { Config } from '../config.ts'
import type { RelaySettings } from '../relay/settings.ts'

const SECOND = 1000
/** A single answer that is not a stream: the largest seen are images in base64, tens of MB. */
const MOST_ANSWER_BYTES = 256 * 1024 * 1024

export function toRelaySettings(config: Config): RelaySettings {
  return {
    runMode: config.runMode,
    maxBodyBytes: config.maxBodyBytes,
    maxAnswerBytes: MOST_ANSWER_BYTES,
    connectTimeoutMs: config.connectTimeoutSeconds * SECOND,
    firstByteTimeoutMs: config.firstByteTimeoutSeconds * SECOND,
    streamIdleTimeoutMs: config.streamIdleTimeoutSeconds * SECOND,
    requestTimeoutMs: config.requestTimeoutSeconds * SECOND,
    sseKeepaliveMs: config.sseKeepaliveSeconds * SECOND,
    commitWaitMs: config.commitWaitMs,
    onClientDisconnect: config.onClientDisconnect,
    drainTimeoutMs: config.drainTimeoutSeconds * SECOND,
    maxRetryAfterMs: config.maxRetryAfterSeconds * SECOND,
    maxAttempts: config.maxAttempts,
    failoverBudgetMs: config.failoverBudgetSeconds * SECOND,
    queueTimeoutMs: config.queueTimeoutMs,
    stickyWaitMs: config.stickyWaitMs,
    recordClientIp: config.recordClientIp,
    recordHeaders: config.recordHeaders,
    recordBodies: config.recordBodies,
    recordBodyBytes: config.recordBodyBytes,
    unpricedModels: config.unpricedModels,
    reserveOutputTokens: config.reserveOutputTokens,
    defaultRateMultiplier: Math.round(config.defaultRateMultiplier * 1_000_000),
  }
}
