import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { readConfig } from '../src/config/read-config.ts'
import { RuntimeSettings, runtimeSettingsOf, withRuntimeSettings } from '../src/config/runtime-settings.ts'
import { type Config, ConfigSchema, describeSettings, variableOf } from '../src/config.ts'

async function read(environment: Record<string, string>, fileText?: string, flags = {}): Promise<Config> {
  const config = await readConfig({ environment, fileText, flags })
  if ('problems' in config) throw new Error(config.problems.join('; '))
  return config
}

async function problems(environment: Record<string, string>, fileText?: string): Promise<string[]> {
  const config = await readConfig({ environment, fileText })
  return 'problems' in config ? config.problems : []
}

describe('config', () => {
  test('every setting is read by something', async () => {
    const root = join(import.meta.dir, '../src')
    const files = [...new Bun.Glob('**/*.ts').scanSync(root)].filter(
      (file) => file !== 'config.ts' && !file.startsWith('config/'),
    )
    const texts = await Promise.all(files.map((file) => Bun.file(join(root, file)).text()))
    const words = new Set(texts.join(' ').match(/\w+/g))
    const unread = Object.keys(ConfigSchema.properties).filter((name) => !words.has(name))
    expect(unread.filter((name) => !name.startsWith('oauth'))).toEqual([])
  })

  test('no environment at all gives the documented defaults (OPS-3)', async () => {
    const config = await read({})
    expect(config).toMatchObject({
      port: 8080,
      host: '0.0.0.0',
      dataDir: './data',
      databaseUrl: null,
      redisUrl: null,
      runMode: 'standard',
      apiKeyPrefix: 'tp_',
      timezone: 'UTC',
      commitWaitMs: 2000,
      firstByteTimeoutSeconds: 600,
      streamIdleTimeoutSeconds: 300,
      maxBodyBytes: 67_108_864,
      onClientDisconnect: 'drain',
      maxAttempts: 5,
      shutdownGraceSeconds: 600,
    })
  })

  test('the environment wins over the file, the file over the default, a flag over all', async () => {
    const fileText = 'port: 1111\nhost: 127.0.0.1\nqueue_size: 7\n'
    const config = await read({ PORT: '2222', HOST: 'example' }, fileText, { host: '::1' })
    expect([config.port, config.host, config.queueSize]).toEqual([2222, '::1', 7])
  })

  test('a value that is not allowed is refused naming the variable and what it may be', async () => {
    expect(await problems({ RUN_MODE: 'turbo' })).toEqual(['RUN_MODE must be one of standard, simple, not "turbo"'])
    expect(await problems({ PORT: '70000' })).toEqual(['PORT must be a whole number from 0 to 65535, not "70000"'])
    expect((await problems({ PORT: '8080x' }))[0]).toStartWith('PORT must be a whole number')
    expect((await problems({ FIRST_BYTE_TIMEOUT: '-1' }))[0]).toMatch(
      /^FIRST_BYTE_TIMEOUT must be a number from 0 .*\(s\)/,
    )
    expect((await problems({ STATISTICS_ENABLED: 'maybe' }))[0]).toContain('true or false')
    expect((await problems({ TIMEZONE: 'Mars/Olympus' }))[0]).toContain('IANA')
    expect((await problems({ TRUSTED_PROXIES: '10.0.0.0/8, nginx' }))[0]).toContain('CIDRs')
    expect((await problems({ API_KEY_PREFIX: 'a b' }))[0]).toContain('A-Z a-z 0-9')
    expect(await problems({}, 'run_mode: turbo')).toHaveLength(1)
    expect(await problems({}, 'port: [1]')).toHaveLength(1)
  })

  test('every problem is reported, and the value of a secret never is (OPS-8)', async () => {
    const found = await problems({ DATABASE_URL: 'mysql://root:hunter2@db', REDIS_DOWN: 'x', WORKERS: '0' })
    expect(found).toHaveLength(3)
    expect(found.join()).not.toContain('hunter2')
  })

  test('unknown keys in the file are refused, unknown environment variables are not ours', async () => {
    expect(await problems({}, 'prot: 80')).toEqual(['the config file has an unknown setting "prot"'])
    expect(await problems({ PROT: '80' })).toEqual([])
  })

  test('a file that is no YAML, or no map, is one clear problem', async () => {
    expect(await problems({}, 'port: "unclosed')).toHaveLength(1)
    expect(await problems({}, 'port: 1\nport: 2')).toHaveLength(1)
    expect(await problems({}, '- a\n- b')).toEqual(['the config file must be a map of settings to values'])
    expect(await problems({}, '')).toEqual([])
  })

  test('an empty variable counts as not set', async () => {
    expect((await read({ REDIS_URL: '', PORT: '' })).redisUrl).toBeNull()
  })

  test('lists and truth values are read from text and from YAML alike', async () => {
    expect((await read({ TRUSTED_PROXIES: ' 10.0.0.1 , ::1,' })).trustedProxies).toEqual(['10.0.0.1', '::1'])
    expect((await read({}, 'trusted_proxies: [10.0.0.1]')).trustedProxies).toEqual(['10.0.0.1'])
    expect((await read({ RECORD_BODIES: 'on' })).recordBodies).toBe(true)
    expect((await read({}, 'record_bodies: true')).recordBodies).toBe(true)
  })

  test('a Config cannot be changed', async () => {
    const config = await read({})
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.isFrozen(config.trustedProxies)).toBe(true)
  })

  test('two readings share no list', async () => {
    expect((await read({})).trustedProxies).not.toBe((await read({})).trustedProxies)
  })

  test('the help text lists every setting of the schema with its variable', async () => {
    const help = describeSettings()
    const names = Object.keys(ConfigSchema.properties)
    expect(help).toHaveLength(names.length)
    for (const [index, name] of names.entries()) expect(help[index]).toContain(variableOf(name))
    expect(help.find((line) => line.includes('CONNECT_TIMEOUT'))).toContain('[10 s]')
  })

  test('variables carry the names of the rules', async () => {
    const variables = Object.keys(ConfigSchema.properties).map(variableOf)
    const named =
      `PORT HOST DATABASE_URL REDIS_URL DATA_DIR ADMIN_TOKEN ENCRYPTION_KEY RUN_MODE API_KEY_PREFIX TIMEZONE LOG_LEVEL
      CONNECT_TIMEOUT FIRST_BYTE_TIMEOUT STREAM_IDLE_TIMEOUT REQUEST_TIMEOUT SSE_KEEPALIVE MAX_BODY_BYTES COMMIT_WAIT_MS MAX_ATTEMPTS
      STICKY_WAIT_MS QUEUE_SIZE QUEUE_TIMEOUT_MS ON_CLIENT_DISCONNECT DRAIN_TIMEOUT MAX_RETRY_AFTER UNPRICED_MODELS REDIS_DOWN
      SHUTDOWN_GRACE PREVIOUS_ENCRYPTION_KEYS OAUTH_OPENAI_CLIENT_ID OAUTH_ANTHROPIC_TOKEN_URL OAUTH_GEMINI_CLIENT_SECRET
      OAUTH_OPENAI_AUTHORIZE_URL OAUTH_GEMINI_REDIRECT_URI OAUTH_ANTHROPIC_SCOPES`.split(/\s+/)
    expect(named.filter((name) => !variables.includes(name))).toEqual([])
    expect(new Set(variables).size).toBe(variables.length)
  })

  test('an OAuth address that is no URL is refused, and a client secret is never shown (OPS-8)', async () => {
    expect(await problems({ OAUTH_OPENAI_TOKEN_URL: 'auth.example.com' })).toEqual([
      'OAUTH_OPENAI_TOKEN_URL must be an http(s) URL, not "auth.example.com"',
    ])
    expect(ConfigSchema.properties.oauthGeminiClientSecret).toMatchObject({ secret: true })
  })

  test('every default is itself allowed', async () => {
    expect(await problems({})).toEqual([])
  })
})

describe('run-time settings', () => {
  test('what operators stored is laid over the configuration, which itself stays as it was', async () => {
    const config = await read({ MAX_ATTEMPTS: '7' })
    const changed = withRuntimeSettings(config, { max_attempts: 2, first_byte_timeout: 30 })
    expect([changed.maxAttempts, changed.firstByteTimeoutSeconds, config.maxAttempts]).toEqual([2, 30, 7])
    expect(Object.isFrozen(changed)).toBe(true)
  })

  test('a stored value that is unknown or no longer allowed is passed over', async () => {
    const config = await read({})
    expect(withRuntimeSettings(config, { max_attempts: 0, port: 1, nonsense: true, redis_down: 'x' })).toEqual(config)
  })

  test('only settings that need no new start can be changed', async () => {
    const names = Object.keys(RuntimeSettings.properties)
    for (const name of ['port', 'database_url', 'admin_token', 'encryption_key', 'data_dir'])
      expect(names).not.toContain(name)
    expect(Object.keys(runtimeSettingsOf(await read({})))).toEqual(names)
  })
})
