import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { type Listening, listen } from '../../src/http/server.ts'
import { type Browser, CHROMIUM, openBrowser } from '../support/browser.ts'
import { ADMIN_TOKEN, toyApp } from '../support/toy-api.ts'

describe('swagger', () => {
  test('the specification lists every admin call with summary, answers, errors and examples (OPS-12)', async () => {
    const { ask } = toyApp()
    const { status, json } = await ask('GET', '/swagger/json', { token: null })
    expect(status).toBe(200)
    expect(json.openapi).toBe('3.1.0')
    expect(Object.keys(json.paths).sort()).toEqual(['/admin/toys', '/admin/toys/{id}'])
    const create = json.paths['/admin/toys'].post
    expect(create.summary).toBe('Make a toy')
    expect(Object.keys(create.responses)).toEqual(['201', '400', '401', '403', '404', '409', '422', '429', '503'])
    expect(create.requestBody.content['application/json'].example).toEqual({
      name: 'bear',
      size: 3,
      colour: 'red',
      box: { secret: 'x' },
    })
    expect(create.responses['409'].content['application/json'].example.error.code).toBe('conflict')
    expect(json.components.schemas.Toy.properties.name.description).toBe('Its name')
    expect(json.components.schemas.Toy.properties.colour).toMatchObject({ type: 'string', enum: ['red', 'blue'] })
    expect(json.components.securitySchemes.adminToken.scheme).toBe('bearer')
  })

  test('every reference inside the specification leads somewhere (OPS-12)', async () => {
    const { ask } = toyApp()
    const { text, json } = await ask('GET', '/swagger/json')
    const references = [...text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name)
    expect(references.length).toBeGreaterThan(5)
    for (const name of references) expect(json.components.schemas).toHaveProperty(name!)
  })

  test('the page and its files come from this binary under a strict policy (OPS-12)', async () => {
    const { ask } = toyApp()
    const page = await ask('GET', '/swagger', { token: null })
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'")
    expect(page.text).not.toMatch(/https?:\/\//)
    for (const [, path] of page.text.matchAll(/(?:src|href)="(\/[^"]+)"/g))
      expect((await ask('GET', path!, { token: null })).status).toBe(200)
    expect((await ask('GET', '/swagger/start.js')).text).toContain('validatorUrl: null')
  })
})

describe.skipIf(!existsSync(CHROMIUM))('swagger in a browser', () => {
  let server: Listening
  let browser: Browser
  beforeAll(async () => {
    server = listen(toyApp().app, { host: 'localhost', port: 0, maxRequestBytes: 1_000_000 })
    browser = await openBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop(true)
  })

  test('renders the operations, carries out an authorised call, and asks no other host (OPS-12)', async () => {
    const origin = `http://localhost:${server.port}`
    await browser.goto(`${origin}/swagger`)
    expect(await browser.waitFor(`document.querySelectorAll('.opblock').length`)).toBe(4)

    await browser.evaluate(`window.ui.preauthorizeApiKey('adminToken', ${JSON.stringify(ADMIN_TOKEN)})`)
    await browser.evaluate(`document.querySelector('#operations-toys-get_toys .opblock-summary-control').click()`)
    await browser.waitFor(`document.querySelector('#operations-toys-get_toys .try-out__btn') !== null`)
    await browser.evaluate(`document.querySelector('#operations-toys-get_toys .try-out__btn').click()`)
    await browser.waitFor(`document.querySelector('#operations-toys-get_toys .execute') !== null`)
    await browser.evaluate(`document.querySelector('#operations-toys-get_toys .execute').click()`)
    const shown = await browser.waitFor(
      `document.querySelector('.live-responses-table tbody .response-col_status')?.innerText`,
    )
    expect(String(shown)).toStartWith('200')

    const hosts = new Set(
      browser
        .requests()
        .filter((url) => !url.startsWith('data:'))
        .map((url) => new URL(url).origin),
    )
    expect([...hosts]).toEqual([origin])
    expect(browser.complaints()).toEqual([])
  }, 60_000)
})
