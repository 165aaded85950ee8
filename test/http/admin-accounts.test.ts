import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type AdminApp, adminApp } from '../support/admin-app.ts'

let api: AdminApp
beforeAll(async () => {
  api = await adminApp()
})
afterAll(() => api.database.drop())

const SECRET = 'sk-hunter2-hunter2-9c1e'
const openai = (more = {}) => ({
  name: 'main',
  platform: 'openai',
  type: 'api_key',
  credentials: { api_key: SECRET },
  ...more,
})
const create = (more = {}) => api.ask('POST', '/admin/accounts', openai(more))
const fieldOf = async (more: object) => {
  const { status, json } = await create(more)
  return [status, json.error?.field]
}

describe('/admin/accounts', () => {
  test('an account is created with defaults and joins its platform’s default group (ACC-12)', async () => {
    const made = await create()
    expect(made).toMatchObject({
      status: 201,
      json: {
        name: 'main',
        status: 'active',
        schedulable: true,
        priority: 50,
        concurrency: 0,
        model_mapping: {},
        rate_multiplier: 1,
      },
    })
    const groups = (await api.ask('GET', '/admin/groups?platform=openai')).json.data
    expect(made.json.group_ids).toEqual([groups.find((group: { is_default: boolean }) => group.is_default).id])
    expect((await api.ask('GET', `/admin/accounts/${made.json.id}`)).json).toEqual(made.json)
  })

  test('secrets go in and never come out: not in answers, audit log, logs or plain in the database (ACC-8)', async () => {
    const made = await create({ credentials: { api_key: SECRET, base_url: 'https://api.example.com/v1' } })
    expect(made.json.credentials).toEqual({ api_key: '…9c1e', base_url: 'https://api.example.com/v1' })
    await api.ask('PATCH', `/admin/accounts/${made.json.id}`, { credentials: { api_key: `${SECRET}-2` } })
    const seen = [
      made.text,
      (await api.ask('GET', '/admin/accounts')).text,
      (await api.ask('GET', '/admin/audit')).text,
      api.lines.join(),
      JSON.stringify(await api.database.sql`select * from accounts`, (_, value) =>
        typeof value === 'bigint' ? String(value) : value,
      ),
    ]
    for (const text of seen) expect(text).not.toContain('hunter2')
    expect(seen[2]).toContain('"credentials":"[secret]"')
  })

  test('platform and type must belong together (ACC)', async () => {
    expect(await fieldOf({ platform: 'openai', type: 'aws', credentials: {} })).toEqual([422, 'type'])
    expect(await fieldOf({ platform: 'bedrock', type: 'oauth', credentials: { access_token: 'x' } })).toEqual([
      422,
      'type',
    ])
    const aws = {
      aws_access_key_id: 'AKIAIOSFODNN7EXAMPLE',
      aws_secret_access_key: 'wJalrXUtnFEMI',
      aws_region: 'us-east-1',
    }
    expect((await create({ platform: 'bedrock', type: 'aws', credentials: aws })).status).toBe(201)
  })

  test('AWS credentials are what can stand in a host name and in headers; answers mask them (ACC-8, ACC-16)', async () => {
    const aws = {
      aws_access_key_id: 'AKIAIOSFODNN7EXAMPLE',
      aws_secret_access_key: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
      aws_session_token: 'token/of+a+session/of/AWS==',
      aws_region: 'us-gov-west-1',
    }
    const bedrock = { platform: 'bedrock', type: 'aws' }
    const bad = {
      aws_region: ['us-east', 'US-EAST-1', 'us-east-1.example.com/', 'evil.example.com#-1', 'us-east-1\n'],
      aws_access_key_id: ['AKIA', 'AKIAIOSFODNN7EXAMPLE, x', 'AKIAIOSFODNN7EXAMPLE/x'],
      aws_secret_access_key: ['with space', 'naïve'],
      aws_session_token: ['two\r\nlines'],
    }
    for (const [field, values] of Object.entries(bad)) {
      for (const value of values) {
        const refused = await fieldOf({ ...bedrock, credentials: { ...aws, [field]: value } })
        expect(refused).toEqual([422, `credentials.${field}`])
      }
    }
    const created = await create({ ...bedrock, credentials: aws })
    expect(created.status).toBe(201)
    const text = JSON.stringify(created)
    for (const secret of ['AKIAIOSFODNN7', 'wJalr', 'token/of']) expect(text).not.toContain(secret)
    expect(text).toContain('us-gov-west-1')
  })

  test('credentials must be those of the type, named when one is missing or foreign (contract.md)', async () => {
    expect(await fieldOf({ credentials: {} })).toEqual([422, 'credentials.api_key'])
    expect(await fieldOf({ credentials: { api_key: 'x', refresh_token: 'y' } })).toEqual([
      422,
      'credentials.refresh_token',
    ])
    expect(await fieldOf({ credentials: { api_key: 'x', apikey: 'y' } })).toEqual([422, 'credentials.apikey'])
    expect(await fieldOf({ type: 'oauth', credentials: {} })).toEqual([422, 'credentials.refresh_token'])
    expect(await fieldOf({ type: 'oauth', credentials: { access_token: 'x', expires_at: 'tomorrow' } })).toEqual([
      422,
      'credentials.expires_at',
    ])
    expect(await fieldOf({ credentials: undefined })).toEqual([422, 'credentials'])
  })

  test('an OAuth account may carry a base URL (contract.md)', async () => {
    const credentials = {
      access_token: 'access-hunter2-000001',
      refresh_token: 'refresh-hunter2-00002',
      expires_at: '2026-08-01T00:00:00Z',
      chatgpt_account_id: 'acc-1',
      base_url: 'http://localhost:9999',
    }
    const made = await create({ type: 'oauth', credentials })
    expect(made).toMatchObject({
      status: 201,
      json: {
        credentials: {
          access_token: '…0001',
          refresh_token: '…0002',
          expires_at: '2026-08-01T00:00:00.000Z',
          base_url: 'http://localhost:9999',
        },
      },
    })
  })

  test('a base URL passes the outbound guard when saved, at creation and later (OPS-10)', async () => {
    const wrong = [
      'http://169.254.169.254/',
      'http://0xA9FEA9FE/',
      'ftp://x',
      'https://u:p@x.example',
      'nonsense',
      'https://x.example/?a=1',
    ]
    const { id } = (await create()).json
    for (const base_url of wrong) {
      expect(await fieldOf({ credentials: { api_key: 'x', base_url } })).toEqual([422, 'credentials.base_url'])
      const patched = await api.ask('PATCH', `/admin/accounts/${id}`, { credentials: { base_url } })
      expect([base_url, patched.status]).toEqual([base_url, 422])
    }
    expect((await api.ask('GET', `/admin/accounts/${id}`)).json.credentials).toEqual({ api_key: '…9c1e' })
    expect((await create({ credentials: { api_key: 'x', base_url: 'http://localhost:11434/v1' } })).status).toBe(201)
  })

  test('a model mapping has * at the end only (ACC-2)', async () => {
    const good = { 'gpt-4o*': 'gpt-4o', 'claude-*': 'anthropic/claude-*', exact: 'other' }
    expect((await create({ model_mapping: good })).json.model_mapping).toEqual(good)
    for (const bad of [{ 'gpt-*-mini': 'x' }, { x: 'y*' }, { '': 'x' }, { x: '' }, { x: 7 }, { ' x': 'y' }]) {
      const [status, field] = await fieldOf({ model_mapping: bad })
      expect([JSON.stringify(bad), status, String(field).split('.')[0]]).toEqual([
        JSON.stringify(bad),
        422,
        'model_mapping',
      ])
    }
  })

  test('custom error codes are statuses from 100 to 599 (ACC-9)', async () => {
    expect((await create({ custom_error_codes: [100, 599] })).json.custom_error_codes).toEqual([100, 599])
    for (const codes of [[99], [600], ['401'], [401.5], [401, 401]]) {
      const [status, field] = await fieldOf({ custom_error_codes: codes })
      expect([status, String(field).split('.')[0]]).toEqual([422, 'custom_error_codes'])
    }
  })

  test('groups and proxies that are not there are refused by name (contract.md)', async () => {
    const nobody = '0190a0c0-0000-7000-8000-000000000000'
    expect(await fieldOf({ group_ids: [nobody] })).toEqual([422, 'group_ids'])
    expect(await fieldOf({ proxy_id: nobody })).toEqual([422, 'proxy_id'])
    const foreign = (await api.ask('GET', '/admin/groups?platform=gemini')).json.data[0].id
    expect(await fieldOf({ group_ids: [foreign] })).toEqual([422, 'group_ids'])
  })

  test('a new api_key keeps the base_url, and what was sealed is what was given (ACC-8)', async () => {
    const made = await create({ credentials: { api_key: SECRET, base_url: 'https://api.example.com' } })
    const patched = await api.ask('PATCH', `/admin/accounts/${made.json.id}`, {
      priority: 1,
      credentials: { api_key: 'sk-new-key-0000-abcd' },
    })
    expect(patched).toMatchObject({
      status: 200,
      json: { priority: 1, credentials: { api_key: '…abcd', base_url: 'https://api.example.com' } },
    })
    const without = await api.ask('PATCH', `/admin/accounts/${made.json.id}`, { credentials: { base_url: null } })
    expect(without.json.credentials).toEqual({ api_key: '…abcd' })
    const keyless = await api.ask('PATCH', `/admin/accounts/${made.json.id}`, { credentials: { api_key: null } })
    expect(keyless).toMatchObject({ status: 422, json: { error: { field: 'credentials.api_key' } } })
    const platform = await api.ask('PATCH', `/admin/accounts/${made.json.id}`, { platform: 'gemini' })
    expect(platform).toMatchObject({ status: 422, json: { error: { field: 'platform' } } })
  })

  test('reset clears cooldowns and errors; an account that an operator disabled stays disabled (ACC-6)', async () => {
    const { id } = (await create()).json
    await api.database
      .sql`update accounts set status = 'error', error_message = 'invalid_grant', rate_limited_until = now() + interval '1 day' where id = ${id}`
    expect((await api.ask('POST', `/admin/accounts/${id}/reset`)).json).toMatchObject({
      status: 'active',
      error_message: null,
      rate_limited_until: null,
    })
    await api.ask('PATCH', `/admin/accounts/${id}`, { status: 'disabled' })
    expect((await api.ask('POST', `/admin/accounts/${id}/reset`)).json.status).toBe('disabled')
  })

  test('other credentials on an account in status error make it active; the same ones, or anything else, do not (ACC-10)', async () => {
    const { id } = (await create()).json
    const blocks = ['error', 'rate_limited'].map((cause) => ({ cause, source: 'x', since: '2026-07-01T00:00:00.000Z' }))
    const fail = (status = 'error') => api.database.sql`
      update accounts set status = ${status}, error_message = 'invalid_grant', rate_limited_until = now() + interval '1 day',
        extra = ${JSON.stringify({ blocks })}::text::jsonb where id = ${id}`
    const patch = async (body: object) => (await api.ask('PATCH', `/admin/accounts/${id}`, body)).json.status
    await fail()
    expect(await patch({ priority: 3 })).toBe('error')
    expect(await patch({ credentials: { api_key: SECRET } })).toBe('error')
    // The operator's own word goes first.
    expect(await patch({ credentials: { api_key: 'sk-other-1' }, status: 'disabled' })).toBe('disabled')
    expect(await patch({ credentials: { api_key: 'sk-other-2' } })).toBe('disabled')
    await fail()
    api.changes.length = 0
    const mended = (await api.ask('PATCH', `/admin/accounts/${id}`, { credentials: { api_key: 'sk-other-3' } })).json
    expect(mended).toMatchObject({ status: 'active', error_message: null })
    // What has a time runs its time; every instance forgets the error.
    expect(mended.rate_limited_until).not.toBeNull()
    expect(mended.extra.blocks.map(({ cause }: { cause: string }) => cause)).toEqual(['rate_limited'])
    expect(api.changes).toContainEqual({ kind: 'account_reset', id })
  })

  test('an account that a key is bound to is not deleted: 409 (KEY-5)', async () => {
    const { id } = (await create()).json
    const key = (await api.ask('POST', '/admin/keys', { name: 'bound', bound_accounts: { openai: id } })).json
    expect((await api.ask('DELETE', `/admin/accounts/${id}`)).status).toBe(409)
    await api.ask('DELETE', `/admin/keys/${key.id}`)
    expect((await api.ask('DELETE', `/admin/accounts/${id}`)).status).toBe(204)
    expect((await api.ask('GET', `/admin/accounts/${id}`)).status).toBe(404)
  })
})

describe('/admin/groups', () => {
  test('default groups are there, active, without limits, not exclusive (ACC-12)', async () => {
    const { data } = (await api.ask('GET', '/admin/groups')).json
    const defaults = data.filter((group: { is_default: boolean }) => group.is_default)
    expect(defaults.map(({ name }: { name: string }) => name).sort()).toEqual([
      'anthropic-default',
      'gemini-default',
      'openai-default',
    ])
    for (const group of defaults)
      expect(group).toMatchObject({ status: 'active', exclusive: false, daily_limit_usd: null, rate_multiplier: 1 })
  })

  test('create, read, change, delete; names are unique (contract.md)', async () => {
    const made = await api.ask('POST', '/admin/groups', {
      name: 'gold',
      platform: 'openai',
      rate_multiplier: 1.5,
      daily_limit_usd: 10,
    })
    expect(made).toMatchObject({
      status: 201,
      json: { name: 'gold', rate_multiplier: 1.5, daily_limit_usd: 10, billing_type: 'standard' },
    })
    expect(await api.ask('POST', '/admin/groups', { name: 'gold', platform: 'openai' })).toMatchObject({
      status: 409,
      json: { error: { field: 'name' } },
    })
    const patched = await api.ask('PATCH', `/admin/groups/${made.json.id}`, { daily_limit_usd: null })
    expect(patched.json).toEqual({ ...made.json, daily_limit_usd: null, updated_at: patched.json.updated_at })
    expect((await api.ask('DELETE', `/admin/groups/${made.json.id}`)).status).toBe(204)
    expect((await api.ask('GET', `/admin/groups/${made.json.id}`)).status).toBe(404)
  })

  test('a group in use, or a default one, is not deleted: 409 (ACC-12)', async () => {
    const { data } = (await api.ask('GET', '/admin/groups?platform=gemini')).json
    expect((await api.ask('DELETE', `/admin/groups/${data[0].id}`)).status).toBe(409)
    const used = (await api.ask('POST', '/admin/groups', { name: 'used', platform: 'openai' })).json
    await api.ask('POST', '/admin/keys', { name: 'k', group_id: used.id })
    expect((await api.ask('DELETE', `/admin/groups/${used.id}`)).status).toBe(409)
  })

  test('a group cannot fall back to itself, over others either (ACC-12)', async () => {
    const make = async (name: string, fallback_group_id?: string) =>
      (
        await api.ask('POST', '/admin/groups', {
          name,
          platform: 'openai',
          ...(fallback_group_id ? { fallback_group_id } : {}),
        })
      ).json.id
    const first = await make('first')
    const second = await make('second', first)
    const third = await make('third', second)
    for (const target of [first, second, third]) {
      const answer = await api.ask('PATCH', `/admin/groups/${first}`, { fallback_group_id: target })
      expect([answer.status, answer.json.error?.field]).toEqual([422, 'fallback_group_id'])
    }
    expect((await api.ask('PATCH', `/admin/groups/${third}`, { fallback_group_id: null })).status).toBe(200)
  })
})

describe('/admin/proxies', () => {
  const proxy = (more = {}) => ({ name: `p-${crypto.randomUUID()}`, url: 'http://proxy.example.com:3128', ...more })

  test('name and password go in and never come out (ACC-8)', async () => {
    const made = await api.ask('POST', '/admin/proxies', proxy({ username: 'me', password: 'hunter2hunter2' }))
    expect(made).toMatchObject({ status: 201, json: { url: 'http://proxy.example.com:3128', has_credentials: true } })
    expect(made.text + (await api.ask('GET', '/admin/audit')).text).not.toContain('hunter2')
    const cleared = await api.ask('PATCH', `/admin/proxies/${made.json.id}`, { username: null, password: null })
    expect(cleared.json.has_credentials).toBe(false)
    expect((await api.ask('POST', '/admin/proxies', proxy({ username: 'me' }))).json.error.field).toBe('password')
  })

  test('a connection through it can be tried, to where an operator may send it (REL-5, OPS-10)', async () => {
    const target = Bun.serve({ port: 0, fetch: () => new Response('hello', { status: 418 }) })
    const url = `http://localhost:${target.port}/`
    // To an http target a proxy is a server that is asked for the whole address.
    const made = (await api.ask('POST', '/admin/proxies', proxy({ url: `http://localhost:${target.port}` }))).json
    const tried = await api.ask('POST', `/admin/proxies/${made.id}/test`, { url })
    expect(tried).toMatchObject({ status: 200, json: { ok: true, status: 418, url, cause: null } })
    await target.stop(true)
    expect((await api.ask('POST', `/admin/proxies/${made.id}/test`, { url })).json).toMatchObject({
      ok: false,
      status: null,
      cause: 'connect_error',
    })
    for (const refused of ['http://169.254.169.254/', 'file:///etc/passwd', 'http://me:secret@example.com/']) {
      const answer = await api.ask('POST', `/admin/proxies/${made.id}/test`, { url: refused })
      expect([refused, answer.status, answer.json.error.field]).toEqual([refused, 422, 'url'])
    }
    expect((await api.ask('POST', `/admin/proxies/${crypto.randomUUID()}/test`)).status).toBe(404)
    expect((await api.ask('POST', `/admin/proxies/${made.id}/test`)).json.url).toBe('https://api.openai.com')
  })

  test('SOCKS is refused when saved, with the reason (REL-5)', async () => {
    for (const url of ['socks5://proxy:1080', 'socks5h://proxy:1080', 'SOCKS4://proxy']) {
      const answer = await api.ask('POST', '/admin/proxies', proxy({ url }))
      expect(answer).toMatchObject({ status: 422, json: { error: { field: 'url' } } })
      expect(answer.json.error.message).toContain('runtime')
    }
  })

  test('credentials in the URL, metadata addresses and paths are refused (OPS-10)', async () => {
    for (const url of [
      'http://me:hunter2@proxy:3128',
      'http://169.254.169.254:80',
      'http://proxy/path',
      'ftp://proxy',
      'proxy:3128',
    ]) {
      const answer = await api.ask('POST', '/admin/proxies', proxy({ url }))
      expect([url, answer.status, answer.json.error.field]).toEqual([url, 422, 'url'])
      expect(answer.text).not.toContain('hunter2')
    }
  })

  test('a proxy in use is not deleted: 409; names are unique (REL-5)', async () => {
    const made = (await api.ask('POST', '/admin/proxies', proxy({ name: 'taken' }))).json
    expect((await api.ask('POST', '/admin/proxies', proxy({ name: 'taken' }))).status).toBe(409)
    const account = (await create({ proxy_id: made.id })).json
    expect((await api.ask('DELETE', `/admin/proxies/${made.id}`)).status).toBe(409)
    await api.ask('PATCH', `/admin/accounts/${account.id}`, { proxy_id: null })
    expect((await api.ask('DELETE', `/admin/proxies/${made.id}`)).status).toBe(204)
  })
})
