/**
 * IP addresses and CIDR ranges as bytes, so that every spelling of an address compares equal.
 * Pure. IPv4 lives in its IPv6-mapped form (::ffff:a.b.c.d, RFC 4291 §2.5.5.2): one length, one comparison.
 */
export type IpBytes = Uint8Array

export interface Cidr {
  network: IpBytes
  /** Of 128: an IPv4 prefix has 96 added. */
  prefixBits: number
}

/** "10.0.0.1", "::1", "[fe80::1%eth0]" → 16 bytes, or null. Only canonical dotted IPv4: the odd forms are the URL parser's business. */
export function parseIp(text: string): IpBytes | null {
  const bare = text.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '')
  return bare.includes(':') ? parseIpv6(bare) : mapIpv4(parseIpv4(bare))
}

export function isIpv4(address: IpBytes): boolean {
  return address.subarray(0, 10).every((byte) => byte === 0) && address[10] === 0xff && address[11] === 0xff
}

/** "10.0.0.0/8", "fc00::/7" or a single address → range, or null. Host bits may be set: they are ignored. */
export function parseCidr(text: string): Cidr | null {
  const [addressText = '', prefixText, ...rest] = text.trim().split('/')
  const network = parseIp(addressText)
  if (!network || rest.length > 0) return null
  const offset = addressText.includes(':') ? 0 : 96
  if (prefixText === undefined) return { network, prefixBits: 128 }
  const prefixBits = /^\d{1,3}$/.test(prefixText) ? Number(prefixText) + offset : 129
  return prefixBits <= 128 ? { network, prefixBits } : null
}

export function cidrContains({ network, prefixBits }: Cidr, address: IpBytes): boolean {
  const wholeBytes = prefixBits >> 3
  for (let i = 0; i < wholeBytes; i++) if (network[i] !== address[i]) return false
  const restBits = prefixBits & 7
  return restBits === 0 || (network[wholeBytes]! ^ address[wholeBytes]!) >> (8 - restBits) === 0
}

function parseIpv4(text: string): number[] | null {
  const parts = text.split('.')
  if (parts.length !== 4) return null
  const bytes = parts.map((part) => (/^(0|[1-9]\d{0,2})$/.test(part) ? Number(part) : 256))
  return bytes.every((byte) => byte <= 255) ? bytes : null
}

function mapIpv4(bytes: number[] | null): IpBytes | null {
  if (!bytes) return null
  return Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes])
}

function parseIpv6(text: string): IpBytes | null {
  const halves = text.split('::')
  if (halves.length > 2) return null
  const head = toGroups(halves[0] ?? '')
  const tail = halves.length === 2 ? toGroups(halves[1] ?? '') : []
  if (!head || !tail) return null
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null
  const groups = [...head, ...Array<number>(missing).fill(0), ...tail]
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]))
}

/** Groups of one side of "::"; a dotted IPv4 may stand last and makes two. */
function toGroups(side: string): number[] | null {
  if (side === '') return []
  const parts = side.split(':')
  const groups: number[] = []
  for (const [index, part] of parts.entries()) {
    const ipv4 = index === parts.length - 1 && part.includes('.') ? parseIpv4(part) : null
    if (ipv4) groups.push((ipv4[0]! << 8) | ipv4[1]!, (ipv4[2]! << 8) | ipv4[3]!)
    else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16))
    else return null
  }
  return groups
}

/** Compiles a list of addresses and ranges; an entry that can't be read matches nothing. */
export function compileCidrs(entries: readonly string[]): (address: string) => boolean {
  const ranges = entries.map(parseCidr).filter((range) => range !== null)
  return (address) => {
    const ip = ranges.length === 0 ? null : parseIp(address)
    return ip !== null && ranges.some((range) => cidrContains(range, ip))
  }
}
