/** Bodies taken whole, and bodies that come compressed. */
import { describe, expect } from 'bun:test'
import zlib from 'node:zlib'
import { BodyTooLarge, type UpstreamAnswer } from '../../../src/relay/upstream.ts'
import { answering, CHUNKED, OK, outcomeOf, rejection, type Suite, send, serve } from './harness.ts'

export function bodies(suite: Suite): void {
  const { name, it } = suite
  describe(`${name}: whole bodies`, () => {
    const bytes = async (answer: UpstreamAnswer, most: number) =>
      Buffer.from(await answer.body.bytes(most)).toString('latin1')

    it('of known length, chunked and until the end', async () => {
      for (const response of [
        `${OK}content-length: 5\r\n\r\nhello`,
        `${CHUNKED}2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n`,
        `${OK}\r\nhello`,
      ]) {
        const server = await serve(suite, async (peer) => {
          await peer.request()
          await peer.write(response)
          peer.end()
        })
        expect(await bytes(await send(suite, server).answer, 5)).toBe('hello')
      }
    })

    it('none at all', async () => {
      const server = await serve(suite, answering('HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n'))
      expect(await bytes(await send(suite, server).answer, 10)).toBe('')
    })

    it('too large, declared or not: refused, and the connection closed (REL-17)', async () => {
      for (const response of [`${OK}content-length: 6\r\n\r\nhello`, `${CHUNKED}3\r\nhel\r\n3\r\nlo!\r\n`]) {
        const server = await serve(suite, async (peer) => {
          await peer.request()
          await peer.write(response)
          await peer.closed
        })
        const answer = await send(suite, server).answer
        expect(await rejection(answer.body.bytes(5))).toBeInstanceOf(BodyTooLarge)
        await server.allClosed()
      }
    })

    it('cut: refused', async () => {
      const server = await serve(suite, async (peer) => {
        await peer.request()
        await peer.write(`${OK}content-length: 6\r\n\r\nhello`)
        peer.end()
      })
      expect(await rejection((await send(suite, server).answer).body.bytes(10))).toBeInstanceOf(Error)
    })
  })

  describe(`${name}: compressed answers`, () => {
    const text = JSON.stringify({ text: 'compress me '.repeat(500) })
    for (const [encoding, compressed] of [
      ['gzip', zlib.gzipSync(text)],
      ['deflate', zlib.deflateSync(text)],
      ['br', zlib.brotliCompressSync(text)],
      ['zstd', zlib.zstdCompressSync(text)],
    ] as const) {
      it(`${encoding} is undone, though nobody asked for it`, async () => {
        const server = await serve(suite, async (peer) => {
          for (;;) {
            await peer.request()
            await peer.write(`${OK}content-encoding: ${encoding}\r\ncontent-length: ${compressed.length}\r\n\r\n`)
            await peer.write(compressed)
          }
        })
        expect(await outcomeOf(send(suite, server))).toEqual({ status: 200, body: text, how: 'end' })
        const answer = await send(suite, server).answer
        expect(Buffer.from(await answer.body.bytes(100_000)).toString()).toBe(text)
      })
    }

    it('one that unpacks to more than may be taken in is refused', async () => {
      const bomb = zlib.gzipSync(Buffer.alloc(8 * 1024 * 1024))
      const server = await serve(suite, async (peer) => {
        await peer.request()
        await peer.write(`${OK}content-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`)
        await peer.write(bomb)
      })
      const answer = await send(suite, server).answer
      expect(await rejection(answer.body.bytes(1024 * 1024))).toBeInstanceOf(BodyTooLarge)
    })

    it('one that is cut short never looks whole (REL-13)', async () => {
      const cut = zlib.gzipSync(text).subarray(0, -20)
      const server = await serve(suite, async (peer) => {
        await peer.request()
        await peer.write(`${OK}content-encoding: gzip\r\ncontent-length: ${cut.length}\r\n\r\n`)
        await peer.write(cut)
      })
      expect((await outcomeOf(send(suite, server))).how).not.toBe('end')
    })
  })
}
