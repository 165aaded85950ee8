/**
 * The handlers that all sockets share, and the wire behind each: what its socket calls is replaced as the connection goes from stage to
 * stage (dialling, tunnel, requests), so that data costs one call wherever it is.
 */
import type { Socket, SocketHandler } from 'bun'

export interface Wire {
  onOpen(socket: WireSocket): void
  onHandshake(ok: boolean, error: Error | null): void
  onData(bytes: Uint8Array): void
  onDrain(): void
  /** Closed, by the peer (null: in good order) or because of an error. Also what is called when no connection could be had. */
  onClose(error: Error | null): void
  /** What broke the connection, for the close that follows. */
  error: Error | null
}

export type WireSocket = Socket<Wire>

/** For what no longer matters, so that an open connection does not hold on to how it was opened. */
export function ignore(): void {}

export function createWire(): Wire {
  return {
    onOpen: ignore,
    onHandshake: ignore,
    onData: ignore,
    onDrain: ignore,
    onClose: ignore,
    error: null,
  }
}

const HANDLERS: SocketHandler<Wire, 'uint8array'> = {
  binaryType: 'uint8array',
  open: (socket) => socket.data.onOpen(socket),
  handshake: (socket, ok, error) => socket.data.onHandshake(ok, error),
  data: (socket, bytes) => socket.data.onData(bytes),
  drain: (socket) => socket.data.onDrain(),
  // A TLS record that does not decrypt, or one of our own handlers threw: either way this connection is not to be trusted.
  error(socket, error) {
    socket.data.error ??= error
    socket.terminate()
  },
  close: (socket, error) => socket.data.onClose(socket.data.error ?? error ?? null),
  connectError: (socket, error) => socket.data.onClose(error),
}

/** The runtime takes any binary type; its types know only Buffer. */
export const WIRE_HANDLERS = HANDLERS as unknown as SocketHandler<Wire>
