/**
 * The sockets under the driver's connections.
 *
 * Why our own: a proxy whose server is dead (HAProxy, a Kubernetes service, Docker's) accepts and closes at once. The driver (postgres.js 3.4)
 * takes such a close for a reason to connect again immediately, for ever, and never rejects the query: a busy loop, and an operator
 * who waits for an answer. Here a close before the first byte is an error like any other.
 */
import net from 'node:net'

/** The part of the driver's options that says where the server is. */
interface Where {
  path?: string | false
  host: string[]
  port: number[]
}

/** Returns while connecting: what is written meanwhile is sent then. */
export function openServerSocket({ path, host: [host = 'localhost'], port: [port = 5432] }: Where): net.Socket {
  const socket = path ? net.connect(path) : net.connect(port, host)
  // Where the driver looks for the name in the server's certificate.
  Object.assign(socket, { host, port })
  socket.once('close', (hadError) => {
    if (hadError || socket.bytesRead > 0) return
    const error = new Error('the server closed the connection before it said anything')
    socket.emit('error', Object.assign(error, { code: 'CONNECTION_CLOSED' }))
  })
  return socket
}
