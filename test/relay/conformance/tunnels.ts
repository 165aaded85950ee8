/** Proxies, and certificates as the runtime finds them in its environment. */
import { describe, expect } from 'bun:test'
import { join } from 'node:path'
import type { Certificates } from '../../support/certificates.ts'
import { startConnectProxy } from '../../support/connect-proxy.ts'
import { answering, OK, outcomeOf, rejection, type Suite, serve } from './harness.ts'

const PROBE = join(import.meta.dir, '../../support/upstream-probe.ts')

export function tunnels(suite: Suite, certificates: Certificates | null): void {
  const { name, upstream, it } = suite
  const hi = answering(`${OK}content-length: 2\r\n\r\nhi`)
  const through = (proxyUrl: string, url: string) =>
    upstream.send({ url, method: 'POST', headers: {}, body: new Uint8Array(2), proxyUrl })

  describe(`${name}: through a proxy (REL-5)`, () => {
    it('http: the proxy is asked for the whole URL, with its credentials, over a connection that is kept', async () => {
      const heads: string[] = []
      const proxy = await serve(suite, async (peer) => {
        for (;;) {
          heads.push((await peer.request()).head)
          await peer.write(`${OK}content-length: 2\r\n\r\nhi`)
        }
      })
      const proxyUrl = `http://me:s%40cret@localhost:${proxy.port}`
      for (let round = 0; round < 2; round++) {
        expect((await outcomeOf(through(proxyUrl, 'http://origin.invalid:8080/v1?a=b'))).body).toBe('hi')
      }
      const lines = (heads[1] as string).split('\r\n')
      expect(lines[0]).toBe('POST http://origin.invalid:8080/v1?a=b HTTP/1.1')
      expect(lines.map((line) => line.toLowerCase())).toContain('host: origin.invalid:8080')
      expect(heads[1]).toMatch(new RegExp(`^proxy-authorization: Basic ${btoa('me:s@cret')}$`, 'im'))
      expect(proxy.accepted).toBe(1)
    })

    it('https: a proxy that refuses the tunnel refuses the call', async () => {
      const proxy = await serve(suite, async (peer) => {
        await peer.request()
        await peer.write('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n')
        await peer.closed
      })
      expect(await rejection(through(proxy.url, 'https://origin.invalid/').answer)).toBeInstanceOf(Error)
      await proxy.allClosed()
    })

    for (const [stage, answer] of [
      ['before the proxy has answered', ''],
      ['while TLS begins in the tunnel', 'HTTP/1.1 200 OK\r\n\r\n'],
    ] as const) {
      it(`an abort ${stage} closes the connection (REL-14)`, async () => {
        const reached = Promise.withResolvers<void>()
        const proxy = await serve(suite, async (peer) => {
          await peer.request()
          if (answer !== '') {
            await peer.write(answer)
            await peer.read()
          }
          reached.resolve()
          await peer.closed
        })
        const call = through(proxy.url, 'https://origin.invalid/')
        await reached.promise
        call.abort('client left')
        expect(String(await rejection(call.answer))).toContain('client left')
        await proxy.allClosed()
      })
    }

    it('an abort while TLS begins closes the connection (REL-14)', async () => {
      const reached = Promise.withResolvers<void>()
      const server = await serve(suite, async (peer) => {
        await peer.read()
        reached.resolve()
        await peer.closed
      })
      const call = upstream.send({
        url: `https://localhost:${server.port}`,
        method: 'GET',
        headers: {},
        body: null,
        proxyUrl: null,
      })
      await reached.promise
      call.abort('client left')
      expect(String(await rejection(call.answer))).toContain('client left')
      await server.allClosed()
    })

    it('a proxy that is not there refuses the call', async () => {
      const proxy = await serve(suite, hi)
      await proxy.stop()
      expect(await rejection(through(proxy.url, 'http://origin.invalid/').answer)).toBeInstanceOf(Error)
    })
  })

  if (!certificates) return
  const { key, cert, otherCert, caFile } = certificates
  const secure = (certificate: string) => ({ ...suite, tls: { key, cert: certificate } })

  /** One request by a process that finds the CA in its environment, or does not. */
  async function probe(url: string, environment: Record<string, string>, proxyUrl?: string): Promise<unknown> {
    const child = Bun.spawn([process.execPath, PROBE, name, url, ...(proxyUrl ? [proxyUrl] : [])], {
      env: { PATH: process.env.PATH, ...environment },
      stdout: 'pipe',
    })
    return JSON.parse(await new Response(child.stdout).text())
  }

  describe(`${name}: certificates`, () => {
    const trusted = { NODE_EXTRA_CA_CERTS: caFile }

    it('a CA in NODE_EXTRA_CA_CERTS or SSL_CERT_FILE is trusted, no other', async () => {
      const { url } = await serve(secure(cert), hi)
      const [extra, file, none] = await Promise.all([
        probe(url, trusted),
        probe(url, { SSL_CERT_FILE: caFile }),
        probe(url, {}),
      ])
      expect([extra, file]).toEqual([
        { status: 200, body: 'hi' },
        { status: 200, body: 'hi' },
      ])
      expect(none).toEqual({ error: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
    })

    it('a certificate for another host is refused', async () => {
      const { url } = await serve(secure(otherCert), hi)
      expect(await probe(url, trusted)).toEqual({ error: 'ERR_TLS_CERT_ALTNAME_INVALID' })
    })

    it('https through a proxy: a tunnel, and the origin’s certificate is what counts (REL-5)', async () => {
      const proxy = await startConnectProxy()
      const [good, bad] = [await serve(secure(cert), hi), await serve(secure(otherCert), hi)]
      expect(await probe(good.url, trusted, proxy.url)).toEqual({ status: 200, body: 'hi' })
      expect(proxy.heads[0]).toStartWith(`CONNECT localhost:${good.port} HTTP/1.1\r\n`)
      expect(proxy.heads[0]).toMatch(new RegExp(`^proxy-authorization: Basic ${btoa('me:secret')}$`, 'im'))
      expect(await probe(good.url, {}, proxy.url)).toMatchObject({ error: expect.any(String) })
      expect(await probe(bad.url, trusted, proxy.url)).toMatchObject({ error: expect.any(String) })
      await proxy.server.stop()
    })

    it('http through a proxy that is spoken to over TLS', async () => {
      const { url } = await serve(secure(cert), hi)
      expect(await probe('http://origin.invalid/', trusted, url)).toEqual({ status: 200, body: 'hi' })
      expect(await probe('http://origin.invalid/', {}, url)).toMatchObject({ error: expect.any(String) })
    })

    it('https through a proxy that is spoken to over TLS itself', async () => {
      const { server, url } = await startConnectProxy({ key, cert })
      const origin = await serve(secure(cert), hi)
      expect(await probe(origin.url, trusted, url)).toEqual({ status: 200, body: 'hi' })
      await server.stop()
    })
  })
}
