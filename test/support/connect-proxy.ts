/** An HTTP proxy that tunnels (CONNECT) and passes on how each side ends: FIN as FIN, RST as RST. Tells the heads it was sent. */
import net from 'node:net'
import { type RawServer, type RawServerOptions, startRawServer } from './raw-server.ts'

export interface ConnectProxy {
  server: RawServer
  url: string
  heads: string[]
}

export async function startConnectProxy(tls: RawServerOptions['tls'] = null): Promise<ConnectProxy> {
  const heads: string[] = []
  const server = await startRawServer(
    async (peer) => {
      const { head } = await peer.request()
      heads.push(head)
      const authority = /^CONNECT (\S+):(\d+) /.exec(head)
      if (!authority) throw new Error('not a CONNECT')
      const host = (authority[1] as string).replace(/^\[|\]$/g, '')
      const origin = net.connect({ host, port: Number(authority[2]), noDelay: true })
      const connected = await new Promise<boolean>((resolve) => {
        origin.once('connect', () => resolve(true))
        origin.once('error', () => resolve(false))
      })
      if (!connected) {
        await peer.write('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n')
        return
      }
      // Each side's end is passed on as what it was.
      origin.on('error', () => peer.reset())
      origin.on('close', (failed) => (failed ? peer.reset() : peer.socket.destroySoon()))
      peer.socket.on('error', () => origin.resetAndDestroy())
      peer.socket.on('close', () => origin.destroySoon())
      await peer.write('HTTP/1.1 200 Connection established\r\n\r\n')
      peer.socket.pipe(origin)
      origin.pipe(peer.socket)
    },
    { tls },
  )
  return { server, url: `${tls ? 'https' : 'http'}://me:secret@localhost:${server.port}`, heads }
}
