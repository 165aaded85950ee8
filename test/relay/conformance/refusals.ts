/** Answers that were cut, and answers that are not HTTP/1.1: never taken for whole ones. */
import { describe, expect } from 'bun:test'
import { CHUNKED, OK, outcomeOf, rejection, type Suite, send, serve } from './harness.ts'

export function refusals(suite: Suite): void {
  const { name, it } = suite
  describe(`${name}: a cut answer never looks like a whole one (REL-13)`, () => {
    const cuts: [string, string][] = [
      ['before the first byte', ''],
      ['within the status line', 'HTTP/1.1 2'],
      ['within the head', `${OK}content-le`],
      ['after an interim answer', 'HTTP/1.1 100 Continue\r\n\r\n'],
      ['at the start of a body of known length', `${OK}content-length: 5\r\n\r\n`],
      ['within a body of known length', `${OK}content-length: 5\r\n\r\nhell`],
      ['before the first chunk', CHUNKED],
      ['within a chunk', `${CHUNKED}5\r\nhe`],
      ['between chunks', `${CHUNKED}5\r\nhello\r\n`],
      ['within the last chunk', `${CHUNKED}5\r\nhello\r\n0\r\n`],
      ['within trailers', `${CHUNKED}5\r\nhello\r\n0\r\nx-a: 1\r\n`],
    ]
    for (const [where, response] of cuts) {
      for (const by of ['end', 'reset'] as const) {
        it(`${where}, by ${by === 'end' ? 'a FIN' : 'a RST'}`, async () => {
          const server = await serve(suite, async (peer) => {
            await peer.request()
            if (response !== '') await peer.write(response)
            peer[by]()
          })
          const { how } = await outcomeOf(send(suite, server))
          expect(how).not.toBe('end')
          expect(server.accepted).toBe(1)
        })
      }
    }

    it('a body without a length, cut by a RST', async () => {
      const server = await serve(suite, async (peer) => {
        await peer.request()
        await peer.write(`${OK}\r\nhel`)
        peer.reset()
      })
      expect((await outcomeOf(send(suite, server))).how).not.toBe('end')
    })

    it('what came before the cut is delivered', async () => {
      const seen = Promise.withResolvers<void>()
      const server = await serve(suite, async (peer) => {
        await peer.request()
        await peer.write(`${CHUNKED}5\r\nhello\r\n`)
        await seen.promise
        peer.end()
      })
      const answer = await send(suite, server).answer
      let body = ''
      const done = answer.body.pipe((chunk) => {
        body += Buffer.from(chunk).toString()
        seen.resolve()
        return undefined
      })
      expect(await rejection(done)).toBeInstanceOf(Error)
      expect(body).toBe('hello')
    })
  })

  describe(`${name}: what is not HTTP/1.1 is refused`, () => {
    const bad: [string, string][] = [
      ['no HTTP at all', '220 mail.example ESMTP\r\n\r\n'],
      ['differing content-lengths', `${OK}content-length: 1\r\ncontent-length: 2\r\n\r\nxy`],
      ['a content-length that is no number', `${OK}content-length: 1x\r\n\r\nxy`],
      ['a chunk size that is no number', `${CHUNKED}zz\r\nhello\r\n0\r\n\r\n`],
      ['a chunk longer than its size', `${CHUNKED}2\r\nhello\r\n0\r\n\r\n`],
      ['obs-fold', `${OK}x-a: 1\r\n 2\r\ncontent-length: 0\r\n\r\n`],
      ['a space before the colon', `${OK}content-length : 1\r\n\r\nx`],
      ['an unasked 101', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n'],
      ['a transfer coding that was not asked for', `${OK}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
      ['a head over 64 kB', `${OK}x-a: ${'a'.repeat(70_000)}\r\ncontent-length: 0\r\n\r\n`],
      ['more than 256 header fields', `${OK}${'x-a: 1\r\n'.repeat(300)}content-length: 0\r\n\r\n`],
    ]
    for (const [title, response] of bad) {
      it(`${title}`, async () => {
        const server = await serve(suite, async (peer) => {
          await peer.request()
          await peer.write(Buffer.from(response, 'latin1'))
          await peer.closed
        })
        const { how } = await outcomeOf(send(suite, server))
        expect(how).not.toBe('end')
        await server.allClosed()
      })
    }
  })
}
