/** The admin API at an address of its own (OPS-9), and who may read metrics there (OPS-7). */
import { beforeAll, describe, expect, test } from 'bun:test'
import { useGateway } from '../support/scene.ts'

const METRICS_TOKEN = 'metrics-token-of-the-tests'
const { gateway } = useGateway({ ADMIN_PORT: '0', ADMIN_HOST: '127.0.0.1', METRICS_TOKEN })

let adminUrl = ''
beforeAll(() => {
  const line = gateway()
    .log()
    .split('\n')
    .find((text) => text.includes('admin API has an address of its own'))
  adminUrl = `http://127.0.0.1:${JSON.parse(line ?? '{}').port}`
})

const get = (url: string, path: string, token: string | null = gateway().adminToken) =>
  fetch(url + path, { headers: token === null ? {} : { authorization: `Bearer ${token}` } })

describe('with ADMIN_PORT', () => {
  test('the admin API, Swagger and metrics are at that address only (OPS-9)', async () => {
    expect((await get(adminUrl, '/admin/users')).status).toBe(200)
    expect((await get(adminUrl, '/swagger/json', null)).status).toBe(200)
    expect((await get(adminUrl, '/metrics', METRICS_TOKEN)).status).toBe(200)
    for (const path of ['/admin/users', '/admin', '/swagger', '/swagger/json']) {
      const answer = await get(gateway().url, path)
      expect([path, answer.status, await answer.json()]).toMatchObject([
        path,
        404,
        { error: { code: 'unknown_endpoint' } },
      ])
    }
    expect((await get(gateway().url, '/metrics', METRICS_TOKEN)).status).toBe(404)
  })

  test('clients are not served at the admin address, and both say how they are (OPS-9, OPS-6)', async () => {
    for (const path of ['/v1/models', '/v1/key'])
      expect([path, (await get(adminUrl, path)).status]).toEqual([path, 404])
    for (const url of [adminUrl, gateway().url]) {
      for (const path of ['/healthz', '/readyz'])
        expect([url, path, (await get(url, path, null)).status]).toEqual([url, path, 200])
    }
  })
})

describe('with METRICS_TOKEN', () => {
  test('metrics ask for that token; an admin’s opens nothing there, nor that one the admin API (OPS-7, OPS-9)', async () => {
    const missing = await get(adminUrl, '/metrics', null)
    expect([missing.status, missing.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    expect((await get(adminUrl, '/metrics')).status).toBe(401)
    expect((await get(adminUrl, '/admin/users', METRICS_TOKEN)).status).toBe(401)
  })

  test('guessing is slowed, and counted for admin tokens (OPS-9)', async () => {
    const statuses: number[] = []
    for (let i = 0; i < 12; i++) statuses.push((await get(adminUrl, '/metrics', `guess-${i}`)).status)
    expect(statuses.slice(-1)).toEqual([429])
    expect(statuses[0]).toBe(401)
    // The limit of one door is not the limit of the other.
    expect((await get(adminUrl, '/admin/users')).status).toBe(200)
  })
})
