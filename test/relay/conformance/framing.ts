/** How the end of a body is found, and what becomes of the connection then. */
import { describe, expect } from 'bun:test'
import { answering, CHUNKED, OK, outcomeOf, type Suite, send, serve } from './harness.ts'

export function framing(suite: Suite): void {
  const { name, it } = suite
  describe(`${name}: the end of a body is known`, () => {
    const cases: { title: string; response: string; status?: number; body: string; reused: boolean }[] = [
      { title: 'content-length', response: `${OK}content-length: 5\r\n\r\nhello`, body: 'hello', reused: true },
      { title: 'content-length 0', response: `${OK}content-length: 0\r\n\r\n`, body: '', reused: true },
      {
        title: 'equal content-lengths',
        response: `${OK}content-length: 2\r\ncontent-length: 2\r\n\r\nhi`,
        body: 'hi',
        reused: true,
      },
      { title: 'chunked', response: `${CHUNKED}5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n`, body: 'hello!', reused: true },
      {
        title: 'chunk extensions',
        response: `${CHUNKED}5;a=b;c="d"\r\nhello\r\n0;x\r\n\r\n`,
        body: 'hello',
        reused: true,
      },
      {
        title: 'trailers',
        response: `${CHUNKED}5\r\nhello\r\n0\r\nx-checksum: 1\r\n\r\n`,
        body: 'hello',
        reused: true,
      },
      {
        title: 'interim answers',
        response: `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n${OK}content-length: 2\r\n\r\nhi`,
        body: 'hi',
        reused: true,
      },
      { title: '204', response: 'HTTP/1.1 204 No Content\r\n\r\n', status: 204, body: '', reused: true },
      {
        title: '304 with a content-length',
        response: 'HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n',
        status: 304,
        body: '',
        reused: true,
      },
      {
        title: 'an error status with a body',
        response: 'HTTP/1.1 529 Overloaded\r\ncontent-length: 2\r\n\r\nno',
        status: 529,
        body: 'no',
        reused: true,
      },
      {
        title: 'connection: close',
        response: `${OK}connection: close\r\ncontent-length: 2\r\n\r\nhi`,
        body: 'hi',
        reused: false,
      },
      {
        title: 'both framings, chunked counts',
        response: `${OK}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n`,
        body: 'x',
        reused: false,
      },
      {
        title: 'bytes beyond the answer',
        response: `${OK}content-length: 2\r\n\r\nhiHTTP/1.1 500 smuggled\r\ncontent-length: 0\r\n\r\n`,
        body: 'hi',
        reused: false,
      },
    ]
    for (const { title, response, status = 200, body, reused } of cases) {
      it(`${title}: all of the body, and the connection ${reused ? 'carries the next request' : 'is not used again'}`, async () => {
        const server = await serve(suite, answering(response))
        for (let round = 0; round < 2; round++) {
          expect(await outcomeOf(send(suite, server))).toEqual({ status, body, how: 'end' })
        }
        expect(server.accepted).toBe(reused ? 1 : 2)
      })

      it(`${title}: the same byte by byte`, async () => {
        const server = await serve(suite, async (peer) => {
          await peer.request()
          for (const byte of Buffer.from(response, 'latin1')) await peer.write(Uint8Array.of(byte))
        })
        expect(await outcomeOf(send(suite, server))).toEqual({ status, body, how: 'end' })
      })
    }

    it('neither length nor chunks: the body ends with the connection', async () => {
      const server = await serve(suite, async (peer) => {
        await peer.request()
        await peer.write(`${OK}\r\nuntil `)
        await peer.write('the end')
        peer.end()
      })
      expect(await outcomeOf(send(suite, server))).toEqual({ status: 200, body: 'until the end', how: 'end' })
    })

    it('headers: names in any case, repeated ones joined, latin-1 kept', async () => {
      const server = await serve(
        suite,
        answering(`${OK}X-Request-ID: 7\r\nx-a: 1\r\nX-A:  2  \r\nx-l: \xe9\r\ncontent-length: 0\r\n\r\n`),
      )
      const { headers } = await send(suite, server).answer
      expect(['x-request-id', 'x-a', 'x-l'].map((header) => headers.get(header))).toEqual(['7', '1, 2', '\xe9'])
    })
  })
}
