/** `/admin/statistics` over a real database: what the calls show, take and refuse (USE-5 to USE-8). */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { CLI_ACTOR } from '../../src/admin/actor.ts'
import { newId } from '../../src/lib/ids.ts'
import { type AdminApp, adminApp } from '../support/admin-app.ts'
import { makeReceipt, NOON } from '../support/receipts.ts'
import { detailOnWire, type SnapshotOnWire, snapshotOf } from '../support/statistics.ts'

const PATH = '/admin/statistics'
let api: AdminApp
beforeAll(async () => {
  api = await adminApp({ STATISTICS_DETAILS: '2' })
})
afterAll(() => api.database.drop())

const [key, account] = [newId(), newId()]

describe('the statistics calls', () => {
  test('show the snapshot of contract.md: totals, details, days and hours (USE-5)', async () => {
    const made = { keyId: key, accountId: account, model: 'gpt-5', platform: 'openai' }
    const usage = { input: 100, output: 20, cacheRead: 7, cacheWrite5m: 3, reasoning: 9 }
    await api.ask('GET', PATH)
    api.statistics.stats.record(makeReceipt({ ...made, id: '01981d5e-7c1a-7b6e-9d39-0b8f5a300000', usage }))
    const failed = { ...made, id: '01981d5e-7c1a-7b6e-9d39-0b8f5a300007', httpStatus: 429, status: 'failed' as const }
    api.statistics.stats.record(makeReceipt({ ...failed, createdAtMs: NOON + 5 }))
    expect((await api.ask('GET', PATH)).json).toEqual({
      version: 1,
      total_requests: 2,
      success_count: 1,
      failure_count: 1,
      total_tokens: 130,
      apis: {
        [key]: {
          total_requests: 2,
          total_tokens: 130,
          models: {
            'gpt-5': {
              total_requests: 2,
              total_tokens: 130,
              details: [
                {
                  timestamp: '2026-07-24T12:00:00.000000000Z',
                  source: 'openai',
                  auth_index: account,
                  tokens: {
                    input_tokens: 103,
                    output_tokens: 20,
                    reasoning_tokens: 9,
                    cached_tokens: 7,
                    total_tokens: 130,
                  },
                  failed: false,
                },
                {
                  timestamp: '2026-07-24T12:00:00.005000007Z',
                  source: 'openai',
                  auth_index: account,
                  tokens: { input_tokens: 0, output_tokens: 0, reasoning_tokens: 0, cached_tokens: 0, total_tokens: 0 },
                  failed: true,
                },
              ],
            },
          },
        },
      },
      requests_by_day: { '2026-07-24': 2 },
      requests_by_hour: expect.objectContaining({ '00': 0, '12': 2, '23': 0 }),
      tokens_by_day: { '2026-07-24': 130 },
      tokens_by_hour: expect.objectContaining({ '12': 130 }),
    })
  })

  test('keep the newest details and every total, and show as many details as are asked for (USE-5)', async () => {
    api.statistics.stats.record(makeReceipt({ keyId: key, model: 'gpt-5', createdAtMs: NOON + 9 }))
    const detailsIn = ({ json }: { json: SnapshotOnWire }) => {
      const model = json.apis[key]?.models['gpt-5']
      return [model?.total_requests, ...(model?.details ?? []).map(({ timestamp }) => timestamp.slice(20, 23))]
    }
    expect(detailsIn(await api.ask('GET', PATH))).toEqual([3, '005', '009'])
    expect(detailsIn(await api.ask('GET', `${PATH}?details=1`))).toEqual([3, '009'])
    expect(detailsIn(await api.ask('GET', `${PATH}?details=0`))).toEqual([3])
    expect((await api.ask('GET', `${PATH}?details=-1`)).json.error.field).toBe('details')
  })

  test('switch them off and on, as a setting that stays (USE-5)', async () => {
    expect((await api.ask('PUT', `${PATH}/enabled`, { enabled: false })).json).toEqual({ enabled: false })
    expect((await api.ask('GET', '/admin/settings')).json.statistics_enabled).toBe(false)
    api.statistics.stats.record(makeReceipt({ keyId: key, model: 'gpt-5' }))
    expect((await api.ask('GET', PATH)).json.total_requests).toBe(3)
    expect((await api.ask('PUT', `${PATH}/enabled`, { enabled: true })).json).toEqual({ enabled: true })
    expect((await api.ask('GET', PATH)).json.total_requests).toBe(4)
    expect((await api.ask('PUT', `${PATH}/enabled`, { enabled: 'yes' })).json.error.field).toBe('enabled')
  })

  test('export a file that import takes, and tell who imported what (USE-7, OPS-9)', async () => {
    const answer = await api.ask('GET', `${PATH}/export`)
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="turnpike-statistics.json"')
    expect(answer.json).toMatchObject({ version: 1, usage: { version: 1, total_requests: 4 } })
    expect(Date.parse(answer.json.exported_at)).not.toBeNaN()
    const other = await adminApp()
    const file = snapshotOf({ 'sk-a': { m: [detailOnWire()] } })
    expect((await other.ask('POST', `${PATH}/import`, file)).json).toEqual({ added: 1, skipped: 0 })
    expect((await other.ask('POST', `${PATH}/import`, { version: 1, usage: file })).json).toEqual({
      added: 0,
      skipped: 1,
    })
    const { json } = await other.ask('GET', '/admin/audit?resource=statistics')
    expect(json.data.map(({ action, changes }: Record<string, unknown>) => [action, changes])).toEqual([
      ['statistics.import', { added: 0, skipped: 1 }],
      ['statistics.import', { added: 1, skipped: 0 }],
    ])
    await other.database.drop()
  })

  test('refuse a file that says something impossible with 422, naming where, and never quote it (USE-7)', async () => {
    const sound = snapshotOf({ x: { y: [detailOnWire(), detailOnWire(), detailOnWire(), detailOnWire()] } })
    const inModel = (path: string, value: unknown): [string, unknown] => {
      const field = `usage.apis.x.models.y${path}`
      return [field, changed(field, value)]
    }
    const inUsage = (field: string, value: unknown): [string, unknown] => [field, changed(field, value)]
    /** The sound file with one value put in at a path. */
    function changed(field: string, value: unknown): unknown {
      const file = structuredClone({ version: 1, usage: sound })
      const path = field.split(/[.[\]]+/).filter((part) => part !== '')
      let into = file as unknown as Record<string, unknown>
      for (const part of path.slice(0, -1)) into = into[part] as Record<string, unknown>
      into[path.at(-1)!] = value
      return file
    }
    const cases: [string, unknown][] = [
      inModel('.details[3].timestamp', '2026-02-30T00:00:00hunter2'),
      inModel('.details[3].timestamp', '2026-02-29T00:00:00Z'),
      inModel('.details[3].timestamp', '0001-01-01T00:00:00Z'),
      inModel('.details[3].timestamp', undefined),
      inModel('.details[3].tokens.output_tokens', -1),
      inModel('.details[3].tokens.total_tokens', 1.5),
      inModel('.details[3].tokens', 'hunter2'),
      inModel('.details[3].failed', 'hunter2'),
      inModel('.details[3].source', { hunter2: 1 }),
      inModel('.details[3].auth_index', 'a\0hunter2'),
      inModel('.details[3]', 7),
      inModel('.details', 'hunter2'),
      inModel('.total_requests', -4),
      inUsage('usage.apis.x.models', []),
      inUsage('usage.apis', 'hunter2'),
      ['usage.apis', { version: 1, usage: {} }],
      ['usage.requests_by_day.2026-13-01', changed('usage.requests_by_day', { '2026-13-01': 1 })],
      ['usage.requests_by_hour.24', changed('usage.requests_by_hour', { '24': 1 })],
      ['usage.tokens_by_hour.07', changed('usage.tokens_by_hour', { '07': -1 })],
      inUsage('usage.failure_count', -1),
      inUsage('usage.version', 2),
      ['version', { version: 2, usage: sound }],
      ['hunter', { version: 1, usage: sound, hunter: 2 }],
      ['apis', {}],
    ]
    const before = (await api.ask('GET', `${PATH}?details=0`)).text
    for (const [field, file] of cases) {
      const answer = await api.ask('POST', `${PATH}/import`, file)
      expect([field, answer.status, answer.json.error.field]).toEqual([field, 422, field])
      expect(answer.text).not.toContain('hunter2')
    }
    expect((await api.ask('GET', `${PATH}?details=0`)).text).toBe(before)
  })

  test('refuse what is no JSON with 400, naming the byte, and the detail where it is in one (USE-7)', async () => {
    const text = JSON.stringify(snapshotOf({ x: { y: [detailOnWire(), detailOnWire()] } }))
    const second = text.indexOf('"timestamp"', text.indexOf('"timestamp"') + 1)
    const broken = `${text.slice(0, second)}!${text.slice(second)}`
    const answer = await api.ask('POST', `${PATH}/import`, broken)
    expect([answer.status, answer.json.error.code]).toEqual([400, 'invalid_json'])
    expect(answer.json.error.message).toContain('apis.x.models.y.details[1]')
    for (const bad of ['', '[]x', '{"apis":{}', '{"apis":{}}}', '{"apis":{},}', 'null,']) {
      const { status, json } = await api.ask('POST', `${PATH}/import`, bad)
      expect([bad, status, json.error.code]).toEqual([bad, 400, 'invalid_json'])
    }
    for (const other of ['[]', 'null', '7']) {
      expect([other, (await api.ask('POST', `${PATH}/import`, other)).status]).toEqual([other, 422])
    }
  })

  test('import one file at a time, and the next one when it is done (USE-7)', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    async function* slow() {
      yield new TextEncoder().encode('{"apis":')
      await promise
      yield new TextEncoder().encode('{}}')
    }
    const first = api.admin.statistics.importFrom(CLI_ACTOR, { chunks: slow() })
    expect((await api.ask('POST', `${PATH}/import`, { apis: {} })).status).toBe(409)
    resolve()
    expect(await first).toEqual({ added: 0, skipped: 0 })
    expect((await api.ask('POST', `${PATH}/import`, { apis: {} })).status).toBe(200)
  })

  test('take a file as CLIProxyAPI writes it: offsets, nine digits, accounts by number, fields of its own (USE-7)', async () => {
    const other = await adminApp({ TIMEZONE: 'Asia/Shanghai' })
    const details = [
      `{"timestamp":"2026-07-24T23:59:59.000000001+08:00","latency_ms":812,"source":"a@b.c","auth_index":18446744073709,"request_id":"r1",
        "tokens":{"input_tokens":3,"output_tokens":4,"reasoning_tokens":5,"cached_tokens":1,"total_tokens":0},"failed":false}`,
      `{"timestamp":"2026-07-24T16:00:00.5Z","source":"","auth_index":"","tokens":{"cached_tokens":9},"failed":true}`,
    ].join(',')
    const file = `{"version":1,"exported_at":"2026-07-25T08:00:00.123456789+08:00","usage":{"total_requests":2,"success_count":1,
      "failure_count":1,"total_tokens":21,"apis":{"sk-client":{"total_requests":2,"total_tokens":21,"models":{"":{"total_requests":2,
      "total_tokens":21,"details":[${details}]},"quiet":{"total_requests":0,"total_tokens":0,"details":null}}}},
      "requests_by_day":{"2026-07-24":1,"2026-07-25":1},"requests_by_hour":{"23":1,"00":1},"tokens_by_day":{},"tokens_by_hour":{},
      "something_newer":[{"a":[1,2]}]},"failed_requests":1}`
    expect((await other.ask('POST', `${PATH}/import`, file)).json).toEqual({ added: 2, skipped: 0 })
    const { json } = await other.ask('GET', PATH)
    expect(json).toMatchObject({
      total_requests: 2,
      failure_count: 1,
      total_tokens: 21,
      requests_by_day: { '2026-07-24': 1, '2026-07-25': 1 },
      requests_by_hour: { '23': 1, '00': 1 },
      tokens_by_day: { '2026-07-24': 12, '2026-07-25': 9 },
    })
    expect(Object.keys(json.apis['sk-client'].models)).toEqual(['unknown'])
    expect(
      json.apis['sk-client'].models.unknown.details.map((detail: Record<string, unknown>) => detail.auth_index),
    ).toEqual(['18446744073709', ''])
    expect((await other.ask('POST', `${PATH}/import`, file)).json).toEqual({ added: 0, skipped: 2 })
    await other.database.drop()
  })
})
