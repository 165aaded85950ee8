/**
 * A port at which nobody can connect: its server does not accept, and its queue is full, so that the kernel drops what comes. Stands for an
 * address behind a firewall, which a test machine does not have.
 */
import net from 'node:net'

/** Listens and never does anything again. */
const PROGRAM = `
  const server = require('node:net').createServer()
  server.listen(0, '127.0.0.1', () => {
    require('node:fs').writeSync(1, String(server.address().port) + '\\n')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })`

/** More than a queue takes: 512 by default, at most the kernel's somaxconn. */
const MOST_QUEUED = 5000
const REFUSED_AFTER_MS = 150

export interface DeafServer {
  url: string
  stop(): void
}

export async function startDeafServer(): Promise<DeafServer> {
  const child = Bun.spawn([process.execPath, '-e', PROGRAM], { stdio: ['ignore', 'pipe', 'inherit'] })
  const { value } = await child.stdout.getReader().read()
  const port = Number(new TextDecoder().decode(value))
  const queued: net.Socket[] = []
  while (queued.length < MOST_QUEUED) {
    const socket = net.connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    queued.push(socket)
    const connected = new Promise<boolean>((resolve) => socket.once('connect', () => resolve(true)))
    if (!(await Promise.race([connected, Bun.sleep(REFUSED_AFTER_MS).then(() => false)]))) break
  }
  return {
    url: `http://127.0.0.1:${port}`,
    stop() {
      for (const socket of queued) socket.destroy()
      child.kill('SIGKILL')
    },
  }
}
