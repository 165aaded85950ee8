/**
 * A load balancer in front of several gateways: each connection goes to the next one that takes it, round robin, byte by byte and knowing nothing
 * of HTTP. What a gateway does to its connection, the client sees.
 */
import net from 'node:net'

export interface Balancer {
  url: string
  /** Connections that were taken, by port. */
  taken: Map<number, number>
  stop(): Promise<void>
}

/** `ports`: asked at each connection, so that instances may come and go. */
export async function startBalancer(ports: () => readonly number[]): Promise<Balancer> {
  const taken = new Map<number, number>()
  const open = new Set<net.Socket>()
  let next = 0

  /** Tries one after the other, each once. */
  function connect(client: net.Socket, triesLeft: number): void {
    const all = ports()
    const port = all[next++ % all.length]
    if (port === undefined || triesLeft === 0) return void client.destroy()
    const gateway = net.connect({ host: '127.0.0.1', port, noDelay: true })
    const refused = () => connect(client, triesLeft - 1)
    gateway.once('error', refused)
    gateway.once('connect', () => {
      gateway.off('error', refused)
      taken.set(port, (taken.get(port) ?? 0) + 1)
      join(client, gateway)
    })
  }

  const server = net.createServer({ noDelay: true, pauseOnConnect: true }, (client) => {
    open.add(client)
    client.on('close', () => open.delete(client))
    // A reset is for the other side to notice.
    client.on('error', () => undefined)
    connect(client, ports().length)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 1024, resolve))
  const { port } = server.address() as net.AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    taken,
    async stop() {
      for (const socket of open) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function join(client: net.Socket, gateway: net.Socket): void {
  gateway.on('error', () => undefined)
  client.pipe(gateway)
  gateway.pipe(client)
  client.on('close', () => gateway.destroy())
  gateway.on('close', () => client.destroySoon())
}
