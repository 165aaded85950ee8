/** Hanging up in every state of a call. */
import { describe, expect } from 'bun:test'
import { answering, CHUNKED, OK, outcomeOf, rejection, type Suite, send, serve } from './harness.ts'

export function aborting(suite: Suite): void {
  const { name, it } = suite
  describe(`${name}: abort closes the connection at once, whatever its state (REL-14)`, () => {
    it('right after sending', async () => {
      const server = await serve(suite, async (peer) => {
        await peer.request()
        await peer.write(`${OK}connection: close\r\ncontent-length: 2\r\n\r\nhi`)
      })
      const call = send(suite, server)
      call.abort('client left')
      expect(String(await rejection(call.answer))).toContain('client left')
      // By the time another one was served, the first connection is there, if there was to be one.
      expect((await outcomeOf(send(suite, server))).body).toBe('hi')
      await server.allClosed()
    })

    it('while the request is still going out', async () => {
      const connected = Promise.withResolvers<void>()
      const server = await serve(suite, async (peer) => {
        await peer.read()
        connected.resolve()
        // Reading on, slowly: a paused socket would not notice the close.
        while ((await peer.read()) !== null);
      })
      const call = send(suite, { url: server.url, body: new Uint8Array(16 * 1024 * 1024) })
      await connected.promise
      call.abort('client left')
      expect(String(await rejection(call.answer))).toContain('client left')
      await server.allClosed()
    })

    for (const [stage, bytes] of [
      ['before the answer', ''],
      ['within the head', `${OK}x-a`],
    ] as const) {
      it(stage, async () => {
        const reached = Promise.withResolvers<void>()
        const server = await serve(suite, async (peer) => {
          await peer.request()
          if (bytes) await peer.write(bytes)
          reached.resolve()
          await peer.closed
        })
        const call = send(suite, server)
        await reached.promise
        call.abort('client left')
        expect(String(await rejection(call.answer))).toContain('client left')
        await server.allClosed()
      })
    }

    it('after the head, before anybody reads the body', async () => {
      const server = await serve(suite, async (peer) => {
        await peer.request()
        await peer.write(`${CHUNKED}2\r\nhi\r\n`)
        await peer.closed
      })
      const call = send(suite, server)
      const answer = await call.answer
      call.abort('fault')
      await server.allClosed()
      expect(await rejection(answer.body.pipe(() => undefined))).toBeInstanceOf(Error)
    })

    it('within the body, from within the consumer, more than once', async () => {
      const server = await serve(suite, async (peer) => {
        await peer.request()
        await peer.write(`${CHUNKED}2\r\nhi\r\n`)
        await peer.closed
      })
      const call = send(suite, server)
      const answer = await call.answer
      let chunks = 0
      const done = answer.body.pipe(() => {
        chunks++
        call.abort('client left')
        call.abort('client left')
        return undefined
      })
      expect(String(await rejection(done))).toContain('client left')
      expect(chunks).toBe(1)
      await server.allClosed()
      call.abort('again')
    })

    it('while the consumer makes the upstream wait', async () => {
      const first = Promise.withResolvers<void>()
      const server = await serve(suite, async (peer) => {
        await peer.request()
        await peer.write(CHUNKED)
        for (;;) await peer.write(`10000\r\n${'x'.repeat(65_536)}\r\n`)
      })
      const call = send(suite, server)
      const answer = await call.answer
      const done = answer.body.pipe(() => {
        first.resolve()
        return new Promise(() => undefined)
      })
      await first.promise
      call.abort('client left')
      // `fetch` notices only once its consumer is done waiting; that the socket closes is what counts.
      void rejection(done)
      await server.allClosed()
    })

    it('after the end: nothing happens, the connection carries the next request', async () => {
      const server = await serve(suite, answering(`${OK}content-length: 2\r\n\r\nhi`))
      const call = send(suite, server)
      expect((await outcomeOf(call)).how).toBe('end')
      call.abort('late')
      expect((await outcomeOf(send(suite, server))).how).toBe('end')
      expect(server.accepted).toBe(1)
    })

    it('a consumer that throws breaks the pipe', async () => {
      const server = await serve(suite, async (peer) => {
        await peer.request()
        await peer.write(`${CHUNKED}2\r\nhi\r\n`)
        await peer.closed
      })
      const call = send(suite, server)
      const answer = await call.answer
      const error = await rejection(
        answer.body.pipe(() => {
          throw new Error('consumer')
        }),
      )
      expect(String(error)).toContain('consumer')
      call.abort('consumer')
      await server.allClosed()
    })
  })
}
