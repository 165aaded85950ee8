/** What goes out, over which connection. */
import { describe, expect } from 'bun:test'
import { answering, OK, outcomeOf, rejection, type Suite, send, serve } from './harness.ts'

export function connections(suite: Suite): void {
  const { name, it } = suite
  describe(`${name}: what is sent`, () => {
    it('method, path, host, length and body, byte for byte (REL-2)', async () => {
      const got = Promise.withResolvers<{ head: string; body: Buffer }>()
      const server = await serve(suite, async (peer) => {
        got.resolve(await peer.request())
        await peer.write(`${OK}content-length: 0\r\n\r\n`)
      })
      const body = Uint8Array.from({ length: 1000 }, (_, index) => index)
      const url = `${server.url}/v1/messages?a=b%20c`
      await outcomeOf(send(suite, { url, body, headers: { 'content-type': 'application/json', 'x-api-key': 'k' } }))
      const { head, body: received } = await got.promise
      const lines = head.toLowerCase().split('\r\n')
      expect(lines[0]).toBe('post /v1/messages?a=b%20c http/1.1')
      for (const line of [
        `host: localhost:${server.port}`,
        'content-length: 1000',
        'content-type: application/json',
        'x-api-key: k',
      ]) {
        expect(lines).toContain(line)
      }
      expect(received.equals(body)).toBe(true)
    })

    it('a GET without a body or a length', async () => {
      const got = Promise.withResolvers<{ head: string }>()
      const server = await serve(suite, async (peer) => {
        got.resolve(await peer.request())
        await peer.write(`${OK}content-length: 0\r\n\r\n`)
      })
      await outcomeOf(send(suite, { url: server.url, method: 'GET', body: null }))
      const { head } = await got.promise
      expect(head).toStartWith('GET / HTTP/1.1\r\n')
      expect(head.toLowerCase()).not.toContain('content-length')
    })

    it('redirects are not followed', async () => {
      const server = await serve(
        suite,
        answering(`HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n`),
      )
      expect(await outcomeOf(send(suite, server))).toEqual({ status: 302, body: '', how: 'end' })
    })
  })

  describe(`${name}: connections kept alive`, () => {
    it('one that the upstream closed while idle is not used', async () => {
      const server = await serve(suite, async (peer) => {
        await peer.request()
        await peer.write(`${OK}content-length: 2\r\n\r\nhi`)
        peer.end()
      })
      for (let round = 1; round <= 3; round++) {
        expect((await outcomeOf(send(suite, server))).how).toBe('end')
        await server.allClosed()
        expect(server.accepted).toBe(round)
      }
    })

    it('a stale one, closed when the request comes: the request is sent again, once, whole', async () => {
      const bodies: string[] = []
      const server = await serve(suite, async (peer) => {
        for (let count = 0; ; count++) {
          const { body } = await peer.request()
          bodies.push(body.toString())
          if (peer.index === 0 && count === 1) peer.reset()
          else await peer.write(`${OK}content-length: 2\r\n\r\nhi`)
        }
      })
      expect((await outcomeOf(send(suite, { url: server.url, body: 'one' }))).how).toBe('end')
      expect((await outcomeOf(send(suite, { url: server.url, body: 'two' }))).how).toBe('end')
      expect(bodies).toEqual(['one', 'two', 'two'])
      expect(server.accepted).toBe(2)
    })

    it('closed after a byte of the answer: the request is not sent again', async () => {
      let requests = 0
      const server = await serve(suite, async (peer) => {
        for (;;) {
          await peer.request()
          requests++
          await peer.write(requests === 1 ? `${OK}content-length: 2\r\n\r\nhi` : 'H')
          if (requests > 1) peer.end()
        }
      })
      expect((await outcomeOf(send(suite, server))).how).toBe('end')
      expect((await outcomeOf(send(suite, server))).how).not.toBe('end')
      expect(requests).toBe(2)
    })

    it('a new one, closed before the answer: the request is not sent again', async () => {
      let requests = 0
      const server = await serve(suite, async (peer) => {
        await peer.request()
        requests++
        peer.end()
      })
      expect((await outcomeOf(send(suite, server))).how).not.toBe('end')
      expect(requests).toBe(1)
    })

    it('what an upstream says unasked on an idle connection is nobody’s answer', async () => {
      const server = await serve(suite, async (peer) => {
        await peer.request()
        await peer.write(`${OK}content-length: 2\r\n\r\nhi`)
        if (peer.index > 0) return
        await peer.write('HTTP/1.1 408 Request Timeout\r\ncontent-length: 4\r\n\r\nlate')
        peer.end()
      })
      expect(await outcomeOf(send(suite, server))).toMatchObject({ status: 200, body: 'hi' })
      await server.allClosed()
      expect(await outcomeOf(send(suite, server))).toMatchObject({ status: 200, body: 'hi' })
      expect(server.accepted).toBe(2)
    })
  })

  describe(`${name}: nobody there`, () => {
    it('a refused connection and a name that does not exist reject', async () => {
      const server = await serve(suite, async () => undefined)
      await server.stop()
      expect(await rejection(send(suite, server).answer)).toBeInstanceOf(Error)
      expect(
        await rejection(send(suite, { url: `${suite.tls ? 'https' : 'http'}://nobody.invalid/` }).answer),
      ).toBeInstanceOf(Error)
    })

    it('what cannot be sent rejects, it does not throw', async () => {
      expect(await rejection(send(suite, { url: 'ftp://localhost/' }).answer)).toBeInstanceOf(Error)
      const headers = { 'x-a': 'b\r\nx-c: d' }
      expect(await rejection(send(suite, { url: 'http://localhost:1/', headers }).answer)).toBeInstanceOf(Error)
    })

    // Through a tunnel it is the proxy that finds the host.
    if (suite.proxyUrl) return
    it('localhost, 127.0.0.1 and [::1] are reached', async () => {
      for (const [host, names] of [
        ['127.0.0.1', ['localhost', '127.0.0.1']],
        ['::1', ['localhost', '[::1]']],
      ] as const) {
        const server = await serve(suite, answering(`${OK}content-length: 2\r\n\r\nhi`), host)
        for (const hostname of names) {
          expect((await outcomeOf(send(suite, { url: server.url.replace('localhost', hostname) }))).body).toBe('hi')
        }
      }
    })
  })
}
