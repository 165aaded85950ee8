/** Events as they are made, backpressure both ways, many at a time. */
import { describe, expect } from 'bun:test'
import { CHUNKED, OK, outcomeOf, type Suite, send, serve, stalled } from './harness.ts'

export function streaming(suite: Suite): void {
  const { name, it } = suite
  describe(`${name}: streaming (REL-7)`, () => {
    it('every event arrives before the next is made', async () => {
      let arrived: (text: string) => void = () => undefined
      const next = () =>
        new Promise<string>((resolve) => {
          arrived = resolve
        })
      let coming = next()
      const server = await serve(suite, async (peer) => {
        await peer.request()
        await peer.write(CHUNKED)
        for (let index = 0; index < 20; index++) {
          const event = `data: ${index}\n\n`
          await peer.write(`${event.length.toString(16)}\r\n${event}\r\n`)
          expect(await coming).toBe(event)
          coming = next()
        }
        await peer.write('0\r\n\r\n')
      })
      const answer = await send(suite, server).answer
      let events = 0
      await answer.body.pipe((chunk) => {
        events++
        arrived(Buffer.from(chunk).toString())
        return undefined
      })
      expect(events).toBe(20)
    })

    it('the head comes before the first byte of the body', async () => {
      const headSeen = Promise.withResolvers<void>()
      const server = await serve(suite, async (peer) => {
        await peer.request()
        await peer.write(CHUNKED)
        await headSeen.promise
        await peer.write('2\r\nhi\r\n0\r\n\r\n')
      })
      const call = send(suite, server)
      expect((await call.answer).status).toBe(200)
      headSeen.resolve()
      expect(await outcomeOf(call)).toMatchObject({ body: 'hi', how: 'end' })
    })

    it('a slow consumer slows the upstream; nothing is lost, memory stays bounded', async () => {
      const piece = Buffer.alloc(65_536, 'x')
      const pieces = 1024
      let written = 0
      const server = await serve(suite, async (peer) => {
        await peer.request()
        await peer.write(`${OK}content-length: ${pieces * piece.length}\r\n\r\n`)
        for (; written < pieces; written++) await peer.write(piece)
      })
      const answer = await send(suite, server).answer
      const gate = Promise.withResolvers<void>()
      let received = 0
      const done = answer.body.pipe((chunk) => {
        received += chunk.length
        return gate.promise
      })
      await stalled(() => written)
      // What the kernel's buffers of both ends hold on loopback, up to about 10 MB; of 64.
      expect(written * piece.length).toBeLessThan(24 * 1024 * 1024)
      expect(received).toBeLessThan(2 * 1024 * 1024)
      gate.resolve()
      await done
      expect(received).toBe(pieces * piece.length)
    })

    it('a slow consumer loses nothing of a body that ends with the connection', async () => {
      const server = await serve(suite, async (peer) => {
        await peer.request()
        await peer.write(`${OK}\r\n`)
        for (let index = 0; index < 64; index++) await peer.write(Buffer.alloc(65_536, 'x'))
        peer.end()
      })
      const answer = await send(suite, server).answer
      let received = 0
      await answer.body.pipe((chunk) => {
        received += chunk.length
        return new Promise<void>((resolve) => setImmediate(resolve))
      })
      expect(received).toBe(64 * 65_536)
    })

    it('chunks of all sizes come through a consumer that is slow now and then', async () => {
      const parts = Array.from({ length: 400 }, (_, index) => `${index}:${'y'.repeat((index * 7919) % 3000)}\n`)
      const server = await serve(suite, async (peer) => {
        await peer.request()
        await peer.write(CHUNKED)
        for (const part of parts) await peer.write(`${part.length.toString(16)}\r\n${part}\r\n`)
        await peer.write('0\r\n\r\n')
      })
      const answer = await send(suite, server).answer
      let body = ''
      let busy = false
      let count = 0
      await answer.body.pipe((chunk) => {
        expect(busy).toBe(false)
        body += Buffer.from(chunk).toString('latin1')
        if (++count % 3 !== 0) return undefined
        busy = true
        return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
          busy = false
        })
      })
      expect(body).toBe(parts.join(''))
    })

    it('a request body of 16 MB arrives whole at an upstream that reads slowly', async () => {
      const body = new Uint8Array(16 * 1024 * 1024)
      for (let at = 0; at < body.length; at += 4096) body[at] = (at >> 12) & 0xff
      const got = Promise.withResolvers<string>()
      const server = await serve(suite, async (peer) => {
        peer.socket.pause()
        await stalled(() => peer.socket.bytesRead)
        peer.socket.resume()
        const request = await peer.request()
        got.resolve(Bun.hash(request.body).toString())
        await peer.write(`${OK}content-length: 2\r\n\r\nhi`)
      })
      expect(await outcomeOf(send(suite, { url: server.url, body }))).toMatchObject({ body: 'hi', how: 'end' })
      expect(await got.promise).toBe(Bun.hash(body).toString())
    })

    it('an answer that comes before the request is out is read', async () => {
      const server = await serve(suite, async (peer) => {
        await peer.read()
        await peer.write('HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 3\r\n\r\nbig')
        while ((await peer.read()) !== null);
      })
      const body = new Uint8Array(8 * 1024 * 1024)
      expect(await outcomeOf(send(suite, { url: server.url, body }))).toMatchObject({ status: 413, body: 'big' })
    })

    // More than fetch's 256; over TLS fewer, for the time that handshakes take.
    const many = suite.tls ? 60 : 600
    it(`${many} requests at a time`, async () => {
      let waiting = 0
      const all = Promise.withResolvers<void>()
      const server = await serve(suite, async (peer) => {
        const { body } = await peer.request()
        if (++waiting === many) all.resolve()
        await all.promise
        await peer.write(`${OK}connection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
        peer.end()
      })
      const outcomes = await Promise.all(
        Array.from({ length: many }, (_, index) => outcomeOf(send(suite, { url: server.url, body: `n${index}` }))),
      )
      expect(outcomes.map(({ body }) => body)).toEqual(outcomes.map((_, index) => `n${index}`))
    })
  })
}
