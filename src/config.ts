/**
 * Everything an operator can set before start, once: each setting's name, unit, default and limits. This is what is parsed and checked
 * (./config/read-config), what an operator may change while turnpike runs (./config/runtime-settings), and what `turnpike serve --help` lists.
 * Knows nothing of what the settings do.
 */
import { type Static, type TObject, type TSchema, Type } from '@sinclair/typebox'

type Options = {
  unit?: string
  secret?: boolean
  minimum?: number
  maximum?: number
  pattern?: string
  allowed?: string
}

/** Timers end at 2^31 ms: longer waits would fire at once. */
const MAX_SECONDS = 2_000_000
const MAX_MS = MAX_SECONDS * 1000

const text = (fallback: string, description: string, options: Options = {}) =>
  Type.String({ default: fallback, description, ...options })
const optionalText = (description: string, options: Options = {}) =>
  Type.Union([Type.String(options), Type.Null()], { default: null, description, ...options })
const whole = (fallback: number, description: string, options: Options = {}) =>
  Type.Integer({ default: fallback, description, minimum: 0, maximum: Number.MAX_SAFE_INTEGER, ...options })
const optionalWhole = (description: string, options: Options = {}) =>
  Type.Union([Type.Integer({ minimum: 0, ...options }), Type.Null()], { default: null, description, ...options })
const seconds = (fallback: number, description: string, options: Options = {}) =>
  Type.Number({ default: fallback, description, unit: 's', minimum: 0, maximum: MAX_SECONDS, ...options })
const milliseconds = (fallback: number, description: string, options: Options = {}) =>
  whole(fallback, description, { unit: 'ms', maximum: MAX_MS, ...options })
const flag = (fallback: boolean, description: string) => Type.Boolean({ default: fallback, description })
const list = (fallback: string[], description: string, options: Options = {}) =>
  Type.Array(Type.String(), { default: fallback, description, ...options })
const oneOf = <const T extends readonly [string, ...string[]]>(values: T, description: string) =>
  Type.Unsafe<T[number]>(
    Type.Union(
      values.map((value) => Type.Literal(value)),
      { default: values[0], description, values },
    ),
  )

const OAUTH_URL = { pattern: '^https?://.+', allowed: 'an http(s) URL' }

/** `OAUTH_OPENAI_CLIENT_ID` and so on: how an account's sign-in is asked for (ACC-10). */
function oauth<const P extends string>(platform: P) {
  const settings = {
    ClientId: optionalText("OAuth client id; not set: the vendor's public one, if any (ACC-10)."),
    ClientSecret: optionalText('OAuth client secret, where the vendor gives one (ACC-10).', { secret: true }),
    AuthorizeUrl: optionalText("Where people sign in; not set: the vendor's (ACC-10).", OAUTH_URL),
    TokenUrl: optionalText("Where tokens are given and refreshed; not set: the vendor's (ACC-10).", OAUTH_URL),
    RedirectUri: optionalText("Redirect address of the OAuth client; not set: the vendor's (ACC-10).", OAUTH_URL),
    Scopes: optionalText('OAuth scopes, separated by spaces; not set: those that requests need (ACC-10).'),
  }
  type Named = { [Name in keyof typeof settings as `oauth${P}${Name}`]: (typeof settings)[Name] }
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [`oauth${platform}${name}`, value]),
  ) as Named
}

/** One property per setting, in the order of the help text. Its variable is the name in upper case with `_`; seconds, the usual unit, are not written (`variableOf`). */
export const ConfigSchema = Type.Object({
  // Where it listens, and how it ends.
  port: whole(8080, 'TCP port of the gateway; 0 takes a free one.', { maximum: 65_535 }),
  host: text('0.0.0.0', 'Address to listen on.'),
  workers: whole(1, 'Processes that share the port (OPS-4).', { minimum: 1, maximum: 256 }),
  adminPort: optionalWhole('Port of the admin API; not set: on PORT too (OPS-9).', { maximum: 65_535 }),
  adminHost: optionalText('Address of the admin API when ADMIN_PORT is set; not set: HOST (OPS-9).'),
  trustedProxies: list(['127.0.0.0/8', '::1'], 'Reverse proxies whose x-forwarded-for is believed.', {
    allowed: 'IP addresses or CIDRs, separated by commas',
  }),
  shutdownGraceSeconds: seconds(600, 'How long running streams may finish after SIGTERM (OPS-2).'),

  // What it keeps, and under which secrets.
  dataDir: text('./data', 'Folder of the embedded database, the journal and the generated secrets.'),
  databaseUrl: optionalText('Postgres 14 or newer; not set: an embedded one in DATA_DIR (OPS-3).', {
    secret: true,
    pattern: '^postgres(ql)?://.+',
    allowed: 'a URL that starts with postgres://',
  }),
  adminToken: optionalText('Token of the root administrator; not set: made once and kept in DATA_DIR.', {
    secret: true,
  }),
  encryptionKey: optionalText('Seals stored credentials (ACC-8); not set: made once and kept in DATA_DIR.', {
    secret: true,
  }),
  previousEncryptionKeys: list(
    [],
    'Further keys that open what is stored, while ENCRYPTION_KEY is being changed (ACC-8).',
    {
      secret: true,
    },
  ),

  // Several instances.
  redisUrl: optionalText('Redis shared by the instances; not set: limits live in the process (OPS-3).', {
    secret: true,
    pattern: '^rediss?://.+',
    allowed: 'a URL that starts with redis:// or rediss://',
  }),
  redisTimeoutSeconds: seconds(1, 'How long Redis may take to answer before it counts as away (OPS-5).', {
    minimum: 0.1,
  }),
  redisDown: oneOf(['local', 'refuse'], 'When Redis is away: go on with own counters, or refuse (OPS-5).'),
  holdLeaseSeconds: seconds(
    60,
    'How long what a killed instance held of shared limits and money is kept for it (KEY-8).',
    {
      minimum: 1,
    },
  ),
  liveShareAfterSeconds: seconds(5, 'After so long a running request is shown by the other instances too (USE-2).'),
  instanceTimeoutSeconds: seconds(
    30,
    'After so long without a sign of life an instance counts as gone (USE-3, OPS-4).',
    {
      minimum: 1,
      maximum: 3600,
    },
  ),

  // How it works as a whole.
  runMode: oneOf(['standard', 'simple'], 'simple: usage is recorded but nobody is charged (ACC-13).'),
  apiKeyPrefix: text('tp_', 'How API keys begin (KEY-1).', {
    pattern: '^[A-Za-z0-9_-]{1,20}$',
    allowed: '1 to 20 of A-Z a-z 0-9 _ -',
  }),
  timezone: text('UTC', 'Time zone of days and hours in reports.', { allowed: 'an IANA name, like Europe/Berlin' }),

  // One request, from its body to its last byte.
  maxBodyBytes: whole(64 * 1024 * 1024, 'Largest request body (REL-16).', {
    unit: 'bytes',
    minimum: 1024,
    maximum: 2 ** 31,
  }),
  maxBodyMemoryBytes: whole(
    512 * 1024 * 1024,
    'What the bodies of all requests may take together; beyond it large ones wait a moment, then get 503 (OPS-11).',
    { unit: 'bytes', minimum: 1024 * 1024 },
  ),
  connectTimeoutSeconds: seconds(10, 'Time to connect to an upstream (REL-15).'),
  firstByteTimeoutSeconds: seconds(600, "Time until an upstream's first byte; thinking models take minutes (REL-15)."),
  streamIdleTimeoutSeconds: seconds(300, 'Longest silence between two chunks (REL-15).'),
  requestTimeoutSeconds: seconds(3600, 'Longest a request may take (REL-15).'),
  sseKeepaliveSeconds: seconds(0, 'Keep-alive to the client during silence; 0: off (REL-15).'),
  commitWaitMs: milliseconds(2000, 'How long a stream is held for its first content before it is committed (REL-11).'),
  onClientDisconnect: oneOf(
    ['drain', 'abort'],
    'When the client leaves: read the upstream to its end, or hang up (REL-14).',
  ),
  drainTimeoutSeconds: seconds(60, 'Longest drain after the client left (REL-14).'),
  maxRetryAfterSeconds: seconds(60, 'Largest retry-after passed on to clients (REL-19).'),
  upstreamTransport: oneOf(
    ['socket', 'fetch'],
    "Upstream connections: our own HTTP/1.1 client over sockets, or Bun's fetch, which takes more CPU.",
  ),
  allowPrivateUpstreams: flag(true, 'Account URLs and proxies may point into private networks (OPS-10).'),

  // Choosing accounts.
  maxAttempts: whole(5, 'Accounts tried for one request (ACC-5).', { minimum: 1, maximum: 100 }),
  failoverBudgetSeconds: seconds(60, 'After so long no further account is tried for a request (ACC-5).'),
  stickyWaitMs: milliseconds(1000, "How long a session waits for its account's free slot before it moves (ACC-4)."),
  queueSize: whole(100, 'Requests that may wait for a slot when every account is full (ACC-7).', {
    maximum: 1_000_000,
  }),
  queueTimeoutMs: milliseconds(10_000, 'Longest wait in that queue (ACC-7).'),

  // Money.
  unpricedModels: oneOf(['allow', 'deny'], 'Serve models that have no price? (BIL-3)'),
  defaultRateMultiplier: Type.Number({
    default: 1,
    description: 'Multiplies the price where no group says otherwise (BIL-6).',
    minimum: 0,
    maximum: 1000,
  }),
  reserveOutputTokens: whole(4096, 'Output assumed when money is reserved and the request names no cap (BIL-7).', {
    unit: 'tokens',
  }),
  priceSource: optionalText('File or URL from which prices are refreshed (BIL-2).'),

  // Records on their way, and what is kept of requests.
  journalMaxBytes: whole(1024 ** 3, 'Largest usage journal on disk (OPS-1).', { unit: 'bytes', minimum: 1024 * 1024 }),
  journalFull: oneOf(['refuse', 'unmetered'], 'When the journal is full: refuse requests, or go on unmetered (OPS-1).'),
  journalSync: oneOf(
    ['group', 'each'],
    'When a record must be on the disk: every JOURNAL_SYNC_MS (a power cut loses that much), or before its answer ends (OPS-1).',
  ),
  journalSyncMs: milliseconds(200, 'Longest a record waits for the disk with JOURNAL_SYNC=group (OPS-1).', {
    minimum: 1,
  }),
  flushSize: whole(1000, 'Usage records written at once (USE-9).', { minimum: 1, maximum: 10_000 }),
  flushIntervalMs: milliseconds(1000, 'Longest a usage record waits to be written (USE-9).', { minimum: 10 }),
  retentionDays: whole(90, 'Usage records older than this are deleted; 0: never (USE-18).', {
    unit: 'days',
    maximum: 36_500,
  }),
  statisticsEnabled: flag(true, 'Keep statistics in memory (USE-5).'),
  statisticsDetails: whole(1000, 'Newest details kept per key and model (USE-5).', { maximum: 1_000_000 }),
  recordClientIp: flag(false, "Keep the client's address with each request (USE-1)."),
  recordHeaders: flag(false, 'Keep request and response headers, secrets masked (USE-1).'),
  recordBodies: flag(false, 'Keep request and response bodies, cut to RECORD_BODY_BYTES (USE-1).'),
  recordBodyBytes: whole(16_384, 'Where recorded bodies are cut (USE-1).', {
    unit: 'bytes',
    maximum: 16 * 1024 * 1024,
  }),

  // Watching it.
  logLevel: oneOf(['info', 'debug', 'warn', 'error', 'off'], 'Least weighty event that is logged (OPS-8).'),
  metricsToken: optionalText('Bearer token that /metrics asks for; not set: none (OPS-7).', { secret: true }),
  otelExporterOtlpEndpoint: optionalText('Where OpenTelemetry traces are sent; not set: nowhere (OPS-7).', {
    pattern: '^https?://.+',
    allowed: 'an http(s) URL',
  }),
  otelExporterOtlpHeaders: optionalText('Headers sent with traces: name=value, separated by commas (OPS-7).', {
    secret: true,
    pattern: '^[\\w-]+=[\\x20-\\x7e]+$',
    allowed: 'name=value pairs, separated by commas',
  }),

  // Signing in to platforms.
  ...oauth('Openai'),
  ...oauth('Anthropic'),
  ...oauth('Gemini'),
})

export type Config = Readonly<Static<typeof ConfigSchema>>
export type SettingName = keyof Config & string
export const SETTINGS = Object.entries(ConfigSchema.properties) as [SettingName, TSchema][]

/** `firstByteTimeoutSeconds` → `FIRST_BYTE_TIMEOUT`, `commitWaitMs` → `COMMIT_WAIT_MS`. */
export function variableOf(name: string): string {
  return name
    .replace(/Seconds$/, '')
    .replace(/[A-Z]/g, (letter) => `_${letter}`)
    .toUpperCase()
}

/** On the wire and in the file. */
export function wireNameOf(name: string): string {
  return variableOf(name).toLowerCase()
}

/** One line per setting for `turnpike serve --help`: variable, default and unit, what it does, what it may be. */
export function describeSettings(schema: TObject = ConfigSchema): string[] {
  const width = Math.max(...Object.keys(schema.properties).map((name) => variableOf(name).length))
  return Object.entries(schema.properties).map(([name, setting]) => {
    const fallback = Array.isArray(setting.default) ? setting.default.join(',') : String(setting.default ?? '')
    const start = fallback === '' ? '' : `[${fallback}${setting.unit ? ` ${setting.unit}` : ''}] `
    const choice = setting.values ? ` One of ${setting.values.join(', ')}.` : ''
    return `  ${variableOf(name).padEnd(width)} ${start}${setting.description}${choice}`
  })
}
