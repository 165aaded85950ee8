import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { COMMANDS, runCli } from '../../src/cli/cli.ts'
import { ConfigSchema, variableOf } from '../../src/config.ts'
import { type EmbeddedDatabase, startEmbedded } from '../../src/db/embedded.ts'
import { silentLog } from '../../src/lib/log.ts'
import { VERSION } from '../../src/version.ts'
import { detailOnWire, snapshotOf } from '../support/statistics.ts'

async function run(
  argv: string[],
  environment: Record<string, string> = {},
  stdin = '',
  draw?: (text: string) => void,
) {
  const out: string[] = []
  const errors: string[] = []
  const code = await runCli(argv, {
    out: (line) => out.push(line),
    error: (line) => errors.push(line),
    environment,
    readInput: async () => stdin,
    ...(draw ? { draw } : {}),
  })
  return { code, out, errors, text: out.join('\n') }
}

describe('the command line', () => {
  test('wrong use is one clear line on stderr and exit 2 (contract.md)', async () => {
    const cases: [string[], string][] = [
      [['frobnicate'], 'unknown command "frobnicate"'],
      [['key'], '"key" needs a second word: key create, key list, key disable'],
      [['key', 'frobnicate'], '"key" needs a second word'],
      [['key', 'create'], '--name is missing'],
      [['key', 'create', '--name'], '--name'],
      [['key', 'disable'], 'ID is missing'],
      [['key', 'disable', 'a', 'b'], '"b" is one word too many'],
      [['serve', '--prot', '80'], '--prot'],
      [['serve', 'extra'], '"extra" is one word too many'],
      [['--port', 'x'], 'PORT must be a whole number from 0 to 65535'],
      [['migrate', '--config', '/nowhere/at/all.yaml'], 'cannot read the config file'],
      [['account', 'add', '--platform', 'x', '--name', 'n', '--api-key', 'k'], '--platform must be one of openai'],
      [['help', 'frobnicate'], 'unknown command'],
      [['stats'], '"stats" needs a second word: stats export, stats import'],
      [['stats', 'import'], 'FILE is missing'],
      [['stats', 'import', '/nowhere/at/all.json'], 'cannot read /nowhere/at/all.json: ENOENT'],
      [['stats', 'import', '/'], '/ is not a file'],
      [['rotate-encryption-key'], 'there is no new key'],
      [['rotate-encryption-key', '--new-key-file', '/nowhere/key'], 'cannot read the new key from /nowhere/key'],
      [['rotate-encryption-key', '--new-key-file', '-'], 'the new key is shorter than 16 characters'],
    ]
    for (const [argv, message] of cases) {
      const { code, out, errors } = await run(argv)
      expect([argv.join(' '), code, out, errors.length]).toEqual([argv.join(' '), 2, [], 1])
      expect(errors[0]).toStartWith('turnpike: ')
      expect(errors[0]).toContain(message)
      expect(errors[0]).not.toContain('\n')
    }
  })

  test('a setting that is not allowed is refused before anything starts, naming it (contract.md)', async () => {
    const { code, errors } = await run(['serve'], { RUN_MODE: 'turbo' })
    expect([code, errors]).toEqual([2, ['turnpike: RUN_MODE must be one of standard, simple, not "turbo"']])
  })

  test('a fault is one line and exit 1; its stack is shown with --debug only (contract.md)', async () => {
    const unreachable = { DATABASE_URL: 'postgres://turnpike:hunter2@127.0.0.1:1/none' }
    const plain = await run(['migrate'], unreachable)
    expect([plain.code, plain.errors.length]).toEqual([1, 1])
    expect(plain.errors[0]).toContain('cannot reach Postgres at 127.0.0.1:1/none')
    const debugged = await run(['migrate', '--debug'], unreachable)
    expect([debugged.code, debugged.errors.length]).toEqual([1, 2])
    expect(debugged.errors.join() + plain.errors.join()).not.toContain('hunter2')
  })

  test('version and help say what they should, and every command explains itself (contract.md)', async () => {
    expect((await run(['version'])).out).toEqual([`turnpike ${VERSION}`])
    expect((await run(['--version'])).out).toEqual([`turnpike ${VERSION}`])
    const overview = (await run(['help'])).text
    for (const { name, options, internal = false } of COMMANDS) {
      expect([name, overview.includes(`  ${name} `)]).toEqual([name, !internal])
      const told = await run(['help', ...name.split(' ')])
      expect([name, told.code, told.out[0]?.startsWith(`Usage: turnpike ${name}`)]).toEqual([name, 0, true])
      for (const option of Object.keys(options)) expect(told.text).toContain(`--${option}`)
      expect((await run([...name.split(' '), '--help'])).out).toEqual(told.out)
    }
  })

  test('what is no archive is unpacked to nothing, and told in one line (OPS-3)', async () => {
    const into = mkdtempSync(join(tmpdir(), 'turnpike-unpack-'))
    const { code, errors } = await run(['unpack', import.meta.path, into])
    expect([code, errors.length, readdirSync(into)]).toEqual([1, 1, []])
    rmSync(into, { recursive: true })
  })

  test('serve --help lists every setting with its default (contract.md)', async () => {
    const { text } = await run(['serve', '--help'])
    for (const name of Object.keys(ConfigSchema.properties)) expect(text).toContain(`  ${variableOf(name)} `)
    expect(text).toContain('[600 s]')
  })
})

describe('commands on an embedded database', () => {
  const home = mkdtempSync(join(tmpdir(), 'turnpike-cli-'))
  const dataDir = join(home, 'data')
  const environment = { DATA_DIR: dataDir }
  let database: EmbeddedDatabase
  // One server for all commands: each of them joins it, as it would a running gateway's.
  beforeAll(async () => {
    database = await startEmbedded({ dataDir, log: silentLog })
  }, 30_000)
  afterAll(async () => {
    await database?.stop()
    rmSync(home, { recursive: true, force: true })
  }, 30_000)

  test('migrate brings the database up to date, again and again (OPS-3)', async () => {
    const first = await run(['migrate'], environment)
    expect([first.code, first.out[0]]).toEqual([0, 'applied 0000_init'])
    expect((await run(['migrate'], environment)).out).toEqual(['the database is up to date'])
  })

  test('a key is created, listed without its secret, and disabled (KEY-1)', async () => {
    const made = await run(['key', 'create', '--name', 'laptop', '--group', 'openai-default'], environment)
    expect(made.code).toBe(0)
    const id = made.out[0]?.replace('id       ', '') ?? ''
    const key = made.out[1]?.replace('api key  ', '') ?? ''
    expect(key).toMatch(/^tp_[0-9a-f]{64}$/)
    const listed = (await run(['key', 'list'], environment)).text
    expect(listed).toContain(id)
    expect(listed).not.toContain(key.slice(8, -5))
    expect((await run(['key', 'disable', id], environment)).out).toEqual(['key laptop is disabled'])
    expect((await run(['key', 'list'], environment)).text).toContain('disabled')
  })

  test('an account is added, with its key from stdin too, and listed without it (ACC-8)', async () => {
    const add = ['account', 'add', '--platform', 'anthropic', '--name', 'main']
    expect((await run([...add, '--api-key', '-'], environment, 'sk-hunter2\n')).code).toBe(0)
    expect(
      (await run([...add, '--api-key', 'sk-hunter2', '--base-url', 'https://api.example.com'], environment)).code,
    ).toBe(0)
    const listed = await run(['account', 'list'], environment)
    expect(listed.out).toHaveLength(3)
    expect(listed.text).not.toContain('hunter2')
  })

  test('what the admin API would refuse is refused here, in one line (OPS-10)', async () => {
    const add = ['account', 'add', '--platform', 'openai', '--name', 'x', '--api-key', 'k']
    const guarded = await run([...add, '--base-url', 'http://169.254.169.254'], environment)
    expect([guarded.code, guarded.errors.length]).toEqual([1, 1])
    expect((await run([...add, '--name', 'x'.repeat(500)], environment)).errors[0]).toContain(
      '"name" must be text of 1 to 200 characters',
    )
    expect((await run(['key', 'create', '--name', 'k', '--user', 'nobody@example.com'], environment)).errors).toEqual([
      'turnpike: there is no user "nobody@example.com": give an id or an e-mail address',
    ])
    expect((await run(['key', 'disable', 'nothing'], environment)).errors).toEqual([
      'turnpike: there is no key nothing',
    ])
  })

  test('settings come from the file given by --config, and the environment wins (contract.md)', async () => {
    const file = join(home, 'settings.yaml')
    writeFileSync(file, 'api_key_prefix: file_\ndata_dir: /nowhere\n')
    const made = await run(['key', 'create', '--name', 'from-file', '--config', file], environment)
    expect(made.out[1]).toMatch(/api key {2}file_[0-9a-f]{64}/)
  })

  test('an account is tested: what came back, and exit 1 when it is not as it should be (ACC-15)', async () => {
    let status = 200
    const body = { choices: [{ message: { role: 'assistant', content: 'ok' }, finish_reason: 'length' }] }
    const upstream = Bun.serve({
      port: 0,
      fetch: () => Response.json(status === 200 ? body : { error: { message: 'bad key' } }, { status }),
    })
    try {
      const add = ['account', 'add', '--platform', 'openai', '--name', 'tested', '--api-key', 'sk-hunter2']
      const url = `http://localhost:${upstream.port}`
      const id = (await run([...add, '--base-url', url], environment)).out[0]?.replace('id  ', '') ?? ''
      const good = await run(['account', 'test', id, '--model', 'tiny'], environment)
      expect([good.code, good.text]).toEqual([0, expect.stringMatching(/^ok: status 200 from tiny after \d+ ms$/)])
      status = 401
      const bad = await run(['account', 'test', id], environment)
      expect([bad.code, bad.out[0]?.startsWith('failed: status 401 from '), bad.out[1]]).toEqual([
        1,
        true,
        'unauthorized: bad key',
      ])
      expect((await run(['account', 'test', 'nothing'], environment)).errors).toEqual([
        'turnpike: there is no account nothing',
      ])
    } finally {
      await upstream.stop(true)
    }
  })

  test('usage statistics are imported from a file and exported to one, whole or not at all (USE-7)', async () => {
    const [file, exported] = [join(home, 'old.json'), join(home, 'exported.json')]
    const details = [detailOnWire(), detailOnWire({ failed: true })]
    writeFileSync(file, JSON.stringify({ version: 1, usage: snapshotOf({ 'sk-old': { 'gpt-5': details } }) }))
    const first = await run(['stats', 'import', file], environment)
    expect([first.code, first.out, first.errors]).toEqual([0, ['2 added, 0 skipped'], []])
    expect((await run(['stats', 'import', file], environment)).out).toEqual(['0 added, 2 skipped'])
    const made = await run(['stats', 'export', exported], { ...environment, STATISTICS_ENABLED: 'false' })
    expect([made.code, made.out]).toEqual([0, [`${exported}: ${statSync(exported).size} bytes`]])
    const { usage } = JSON.parse(readFileSync(exported, 'utf8'))
    expect([usage.total_requests, usage.failure_count]).toEqual([2, 1])
    expect(usage.apis['sk-old'].models['gpt-5'].details).toHaveLength(2)
    expect((await run(['stats', 'import', exported], environment)).out).toEqual(['0 added, 2 skipped'])

    writeFileSync(file, '{"apis":{"k":{"models":{"m":{"details":[{"timestamp":"yesterday"}]}}}}}')
    const refused = await run(['stats', 'import', file], environment)
    expect([refused.code, refused.errors]).toEqual([
      1,
      ['turnpike: apis.k.models.m.details[0].timestamp must be an RFC 3339 time from 1970 to 2099'],
    ])
    writeFileSync(file, '{"apis":')
    const broken = await run(['stats', 'import', file], environment)
    expect([broken.code, broken.errors]).toEqual([
      1,
      [`turnpike: ${file} is not valid JSON: it ends too early at byte 8`],
    ])
    const nowhere = await run(['stats', 'export', join(home, 'no/such/folder.json')], environment)
    expect([nowhere.code, nowhere.errors]).toEqual([
      1,
      [`turnpike: cannot write ${join(home, 'no/such/folder.json')}: ENOENT`],
    ])
    expect(readdirSync(home).filter((name) => name.includes('partial'))).toEqual([])
  })

  test('an import draws a bar where somebody sees it, and nothing in a pipe (USE-7)', async () => {
    const file = join(home, 'bar.json')
    writeFileSync(file, JSON.stringify(snapshotOf({ 'sk-bar': { m: [detailOnWire()] } })))
    const drawn: string[] = []
    const seen = await run(['stats', 'import', file], environment, '', (text) => drawn.push(text))
    expect(seen.out).toEqual(['1 added, 0 skipped'])
    expect(drawn[0]).toContain('reading [##############################] 100 %')
    expect(drawn.at(-2)).toContain('storing [##############################] 100 % 1')
    expect(drawn.at(-1)).toBe('\r\x1b[K')
  })

  test('the encryption key is rotated; what it sealed still opens, and what it made still counts (ACC-8)', async () => {
    const keyFile = join(dataDir, 'encryption-key')
    const before = readFileSync(keyFile, 'utf8')
    const rotated = await run(['rotate-encryption-key', '--new-key-file', '-'], environment, 'another-key-0123456789\n')
    expect([rotated.code, rotated.errors]).toEqual([0, []])
    expect(rotated.out).toEqual([
      expect.stringMatching(/^\d+ secrets are sealed under the new key$/),
      `${keyFile} holds it now`,
    ])
    expect(readFileSync(keyFile, 'utf8')).toBe('another-key-0123456789\n')
    expect((await run(['account', 'list'], environment)).text).not.toContain('error')
    // The old key, in the environment where it wins over the file, is refused in one line.
    const old = await run(['key', 'list'], { ...environment, ENCRYPTION_KEY: before.trim() })
    expect([old.code, old.errors.length]).toEqual([1, 1])
    expect(old.errors[0]).toContain('ENCRYPTION_KEY is not the one that this database is sealed with')
    // Back again by way of the environment: nothing stands in a file, so nothing is written to one.
    const back = { ...environment, ENCRYPTION_KEY: before.trim(), PREVIOUS_ENCRYPTION_KEYS: 'another-key-0123456789' }
    expect((await run(['rotate-encryption-key'], back)).code).toBe(0)
    expect((await run(['key', 'list'], { ...environment, ENCRYPTION_KEY: before.trim() })).code).toBe(0)
    expect(readFileSync(keyFile, 'utf8')).toBe('another-key-0123456789\n')
  })

  test('no command but serve makes an admin token: whoever makes it must show it (OPS-3)', () => {
    expect(existsSync(join(dataDir, 'encryption-key'))).toBe(true)
    expect(existsSync(join(dataDir, 'admin-token'))).toBe(false)
  })
})
