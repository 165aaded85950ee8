import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readDocument } from '../../src/lib/read-document.ts'

const options = { outbound: { allowPrivate: true }, mostBytes: 100, timeoutMs: 5000 }
const home = mkdtempSync(join(tmpdir(), 'turnpike-document-'))
let server: ReturnType<typeof Bun.serve>
let base: string
let asked: string[] = []

beforeAll(() => {
  server = Bun.serve({
    port: 0,
    fetch(request) {
      const { pathname } = new URL(request.url)
      asked.push(pathname)
      if (pathname === '/moved') return new Response(null, { status: 302, headers: { location: '/text' } })
      if (pathname === '/loop') return new Response(null, { status: 302, headers: { location: '/loop' } })
      if (pathname === '/inside')
        return new Response(null, { status: 302, headers: { location: 'file:///etc/passwd' } })
      if (pathname === '/large') return new Response('x'.repeat(101))
      if (pathname === '/never') return new Promise<Response>(() => undefined)
      return pathname === '/text' ? new Response('text') : new Response('gone', { status: 404 })
    },
  })
  base = `http://localhost:${server.port}`
})
afterAll(async () => {
  await server.stop(true)
  rmSync(home, { recursive: true })
})

describe('reading a document', () => {
  test('reads a file, and a URL through its redirects (BIL-2)', async () => {
    const path = join(home, 'table.json')
    writeFileSync(path, '{}')
    expect(await readDocument(path, options)).toEqual({ text: '{}' })
    expect(await readDocument(`${base}/moved`, options)).toEqual({ text: 'text' })
  })

  test('reads no more than the limit, from a file or a URL (OPS-11)', async () => {
    const path = join(home, 'large.json')
    writeFileSync(path, 'x'.repeat(101))
    const refusal = 'is larger than 100 bytes'
    expect(await readDocument(path, options)).toEqual({ refusal })
    expect(await readDocument(`${base}/large`, options)).toEqual({ refusal })
  })

  test('says why there is nothing to read, and gives up in time', async () => {
    expect(await readDocument(`${base}/nothing`, options)).toEqual({ refusal: 'answered with status 404' })
    expect(await readDocument(`${base}/loop`, options)).toEqual({ refusal: 'redirects more than 3 times' })
    expect(await readDocument('http://127.0.0.1:1/', options)).toEqual({ refusal: 'cannot be read: ECONNREFUSED' })
    expect(await readDocument(`${base}/never`, { ...options, timeoutMs: 50 })).toEqual({
      refusal: 'did not answer within 0.05 s',
    })
  })

  test('asks the guard about names, their addresses and redirects, and connects to none that is refused (OPS-10)', async () => {
    asked = []
    const strict = { ...options, outbound: { allowPrivate: false } }
    for (const url of [`${base}/text`, `http://127.0.0.1:${server.port}/text`, 'http://user:secret@localhost/text']) {
      expect(await readDocument(url, strict)).toHaveProperty('refusal')
    }
    expect(asked).toEqual([])
    expect(await readDocument(`${base}/inside`, options)).toEqual({
      refusal: 'must be an http:// or https:// URL, not file://',
    })
  })
})
