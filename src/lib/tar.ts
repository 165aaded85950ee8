/**
 * Reads and writes ustar archives of plain files and directories, in memory.
 *
 * Why not Bun.Archive: it can't write modes or empty directories, and unpacking 1,600 files took it twice as long
 * (130 ms against 70 ms). Written by us, read by us: links, owners and names over 100 bytes are not supported, and
 * writing one throws. Entries come out as they went in; the bytes depend on nothing else (no time, no user).
 * Format: https://www.gnu.org/software/tar/manual/html_node/Standard.html
 */
import { Buffer } from 'node:buffer'

export interface TarEntry {
  /** Relative, with `/`. */
  path: string
  kind: 'file' | 'directory'
  /** Permission bits. */
  mode: number
  bytes: Uint8Array
}

const BLOCK_BYTES = 512
const NAME_BYTES = 100
const EMPTY = new Uint8Array(0)

export function writeTar(entries: readonly TarEntry[]): Uint8Array {
  const parts: Uint8Array[] = []
  for (const entry of entries) {
    const padding = -entry.bytes.length & (BLOCK_BYTES - 1)
    parts.push(header(entry), entry.bytes, new Uint8Array(padding))
  }
  parts.push(new Uint8Array(2 * BLOCK_BYTES))
  return Buffer.concat(parts)
}

/** The bytes of an entry are a view into `tar`. */
export function* readTar(tar: Uint8Array): Generator<TarEntry> {
  const all = Buffer.from(tar.buffer, tar.byteOffset, tar.length)
  for (let at = 0; at + BLOCK_BYTES <= all.length && all[at] !== 0; ) {
    const text = (start: number, length: number) => {
      const field = all.toString('utf8', at + start, at + start + length)
      const end = field.indexOf('\0')
      return end < 0 ? field : field.slice(0, end)
    }
    const size = Number.parseInt(text(124, 12), 8)
    const bytesAt = at + BLOCK_BYTES
    if (!(bytesAt + size <= all.length)) throw new Error('The archive is cut short')
    yield {
      path: text(0, NAME_BYTES).replace(/\/$/, ''),
      kind: text(156, 1) === '5' ? 'directory' : 'file',
      mode: Number.parseInt(text(100, 8), 8),
      bytes: size === 0 ? EMPTY : all.subarray(bytesAt, bytesAt + size),
    }
    at = bytesAt + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES
  }
}

function header(entry: TarEntry): Uint8Array {
  const name = entry.kind === 'directory' ? `${entry.path}/` : entry.path
  if (Buffer.byteLength(name) > NAME_BYTES) throw new Error(`Too long for the archive: ${name}`)
  const block = Buffer.alloc(BLOCK_BYTES)
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0')
  block.write(name, 0)
  block.write(octal(entry.mode, 7), 100)
  block.write(octal(0, 7), 108)
  block.write(octal(0, 7), 116)
  block.write(octal(entry.bytes.length, 11), 124)
  block.write(octal(0, 11), 136)
  block.write(entry.kind === 'directory' ? '5' : '0', 156)
  block.write('ustar\x0000', 257)
  // The checksum counts its own field as spaces.
  block.write('        ', 148)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${octal(sum, 6)}\0 `, 148)
  return block
}
