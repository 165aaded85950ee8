/** Can a TCP connection be opened to a URL's host and port within a time? Opens one and closes it at once; never rejects. */
import net from 'node:net'

export function canConnect(url: string, withinMs: number): Promise<boolean> {
  const { hostname, port, protocol } = new URL(url)
  const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  return new Promise((resolve) => {
    const socket = net.connect({ host, port: Number(port || (protocol === 'https:' ? 443 : 80)) })
    const timer = setTimeout(() => end(false), withinMs)
    function end(reachable: boolean): void {
      clearTimeout(timer)
      socket.destroy()
      resolve(reachable)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}
