/**
 * A Postgres of the test's own behind a door: an embedded server reached over TCP, as DATABASE_URL names one. The door can be shut (nobody
 * answers there) and the server killed, as machines and operators do.
 */
import { readFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { connect } from '../../src/db/client.ts'
import { DATABASE_NAME } from '../../src/db/embedded-files.ts'
import type { EmbeddedPlace } from './embedded-place.ts'
import { until } from './until.ts'

export interface DatabaseGate {
  /** For DATABASE_URL. */
  url: string
  /** Connections are cut, new ones refused. */
  shut(): Promise<void>
  open(): Promise<void>
  /** kill -9 of the server's first process; its others end by themselves. */
  kill(): void
  /** Starts it again, over what the killed one has left. */
  revive(): Promise<void>
  /** As another instance would, past the door. */
  changeDirectly(statement: string): Promise<void>
  stop(): Promise<void>
}

export async function startDatabaseGate(place: EmbeddedPlace): Promise<DatabaseGate> {
  const dataDir = place.dataDir()
  const server = await place.start(dataDir, { watchEveryMs: 0 })
  const cluster = join(dataDir, 'postgres/cluster')
  const socketPath = join(cluster, '.s.PGSQL.5432')
  const sockets = new Set<net.Socket>()
  const keep = (socket: net.Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy())
  }
  let door = newDoor()
  let port = 0

  function newDoor(): net.Server {
    return net.createServer((client) => {
      const inner = net.connect(socketPath)
      keep(client)
      keep(inner)
      client.pipe(inner).on('close', () => client.destroy())
      inner.pipe(client).on('close', () => inner.destroy())
    })
  }
  async function open(): Promise<void> {
    if (door.listening) return
    door = newDoor()
    await new Promise<void>((resolve, reject) => door.on('error', reject).listen(port, '127.0.0.1', resolve))
    port = (door.address() as net.AddressInfo).port
  }
  async function shut(): Promise<void> {
    const closed = new Promise<void>((resolve) => door.close(() => resolve()))
    for (const socket of sockets) socket.destroy()
    await closed
  }
  await open()
  return {
    url: `postgres://${DATABASE_NAME}@127.0.0.1:${port}/${DATABASE_NAME}`,
    open,
    shut,
    kill() {
      process.kill(Number(readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n')[0]), 'SIGKILL')
    },
    async revive() {
      await until(() => server.revive(), {
        what: 'the killed server to be gone and another to start',
        withinMs: 30_000,
      })
    },
    async changeDirectly(statement) {
      const sql = connect(server.target, { max: 1, statementTimeoutMs: 0 })
      await sql.unsafe(statement)
      await sql.end()
    },
    stop: shut,
  }
}
