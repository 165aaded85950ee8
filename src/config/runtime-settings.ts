/** The settings that an operator may change while turnpike runs (`/admin/settings`), by their names on the wire; the others need a start. */
import { type TObject, type TSchema, Type } from '@sinclair/typebox'
import { type Config, ConfigSchema, type SettingName, wireNameOf } from '../config.ts'
import { isAllowed } from './check-setting.ts'

const RUNTIME: readonly SettingName[] = [
  'connectTimeoutSeconds',
  'firstByteTimeoutSeconds',
  'streamIdleTimeoutSeconds',
  'requestTimeoutSeconds',
  'sseKeepaliveSeconds',
  'commitWaitMs',
  'onClientDisconnect',
  'drainTimeoutSeconds',
  'maxRetryAfterSeconds',
  'maxAttempts',
  'failoverBudgetSeconds',
  'stickyWaitMs',
  'queueSize',
  'queueTimeoutMs',
  'allowPrivateUpstreams',
  'unpricedModels',
  'defaultRateMultiplier',
  'reserveOutputTokens',
  'retentionDays',
  'statisticsEnabled',
  'recordClientIp',
  'recordHeaders',
  'recordBodies',
  'recordBodyBytes',
  'redisDown',
]

/** The run-time settings by their names on the wire. */
export const RuntimeSettings: TObject = Type.Object(
  Object.fromEntries(RUNTIME.map((name) => [wireNameOf(name), ConfigSchema.properties[name]])),
  { title: 'Settings', additionalProperties: false },
)

/** What an operator may send: any of them; null takes the stored value away, so that the environment's holds again. */
export const RuntimeSettingsPatch: TObject = Type.Object(
  Object.fromEntries(
    RUNTIME.map((name) => {
      const { default: _, description, ...bare } = ConfigSchema.properties[name]
      return [wireNameOf(name), Type.Optional(Type.Union([bare as TSchema, Type.Null()], { description }))]
    }),
  ),
  { title: 'SettingsPatch', additionalProperties: false, minProperties: 1 },
)

/** The run-time settings of a Config, by their names on the wire. */
export function runtimeSettingsOf(config: Config): Record<string, unknown> {
  return Object.fromEntries(RUNTIME.map((name) => [wireNameOf(name), config[name]]))
}

/** A Config with what operators stored laid over it. What is stored but no longer allowed (an older version's) is passed over. */
export function withRuntimeSettings(config: Config, stored: Readonly<Record<string, unknown>>): Config {
  const changed: Record<string, unknown> = { ...config }
  for (const name of RUNTIME) {
    const value = stored[wireNameOf(name)]
    if (value !== undefined && isAllowed(name, ConfigSchema.properties[name], value)) changed[name] = value
  }
  return Object.freeze(changed) as Config
}
