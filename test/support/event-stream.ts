/** Writes AWS event streams for tests, from the documented layout; shares no code with the reader. */
import { crc32 } from 'node:zlib'

export type HeaderValue = string | { type: number; bytes: number[] }

export function message(headers: Record<string, HeaderValue>, payload: string | Uint8Array = ''): Buffer {
  const fields = Object.entries(headers).map(([name, value]) => {
    const head = Buffer.concat([Buffer.from([Buffer.byteLength(name)]), Buffer.from(name)])
    if (typeof value !== 'string') return Buffer.concat([head, Buffer.from([value.type, ...value.bytes])])
    const text = Buffer.from(value)
    return Buffer.concat([head, Buffer.from([7, text.length >> 8, text.length & 255]), text])
  })
  return framed(Buffer.concat(fields), Buffer.from(payload as Uint8Array))
}

export function framed(headers: Buffer, payload: Buffer): Buffer {
  const prelude = Buffer.alloc(12)
  prelude.writeUInt32BE(12 + headers.length + payload.length + 4, 0)
  prelude.writeUInt32BE(headers.length, 4)
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8)
  return closed(Buffer.concat([prelude, headers, payload]))
}

export function closed(open: Buffer): Buffer {
  const crc = Buffer.alloc(4)
  crc.writeUInt32BE(crc32(open), 0)
  return Buffer.concat([open, crc])
}

/** As `invoke-with-response-stream` sends a model's event: base64 with padding beside it. */
export function chunk(event: object | string): Buffer {
  const text = typeof event === 'string' ? event : JSON.stringify(event)
  return message(
    { ':event-type': 'chunk', ':content-type': 'application/json', ':message-type': 'event' },
    JSON.stringify({ bytes: Buffer.from(text).toString('base64'), p: 'abcdefghij' }),
  )
}

/** As a stream breaks off with an error of the service. */
export function exception(type: string, text: string): Buffer {
  return message(
    { ':exception-type': type, ':content-type': 'application/json', ':message-type': 'exception' },
    JSON.stringify({ message: text }),
  )
}
