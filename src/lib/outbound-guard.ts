/**
 * Where this program may connect to (OPS-10): a check of the URL as written, and one of the address its name resolved to.
 *
 * Both are needed: the first gives an answer when the URL is saved, the second, asked again when connecting, catches names that
 * point to forbidden addresses. Pure: resolving is the caller's business.
 * Spellings don't matter: the WHATWG parser turns decimal, hex, octal and short IPv4 hosts into dotted form, and IPv4 inside IPv6
 * (mapped, compatible, NAT64, 6to4) is taken out here before the ranges are asked.
 */
import { cidrContains, type IpBytes, isIpv4, parseCidr, parseIp } from './ip-address.ts'

export interface OutboundPolicy {
  /** May it be loopback or a private network? People run local models: the default setting says yes. */
  allowPrivate: boolean
}

export interface OutboundRefusal {
  code: 'not_a_url' | 'scheme' | 'credentials_in_url' | 'metadata_address' | 'private_address'
  /** A sentence for the operator. */
  message: string
}

/** Null: the URL may be used, as far as can be told without resolving its name. */
export function refuseOutboundUrl(text: string, policy: OutboundPolicy): OutboundRefusal | null {
  const url = URL.parse(text)
  if (!url) return refusal('not_a_url', 'not an absolute URL')
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return refusal('scheme', `must be an http:// or https:// URL, not ${url.protocol}//`)
  }
  if (url.username !== '' || url.password !== '') {
    return refusal('credentials_in_url', 'must not carry a user name or password in the URL')
  }
  return refuseOutboundHost(url.hostname, policy)
}

/** The same for the host of a URL, as the WHATWG parser spells it. */
export function refuseOutboundHost(hostname: string, policy: OutboundPolicy): OutboundRefusal | null {
  const host = hostname.replace(/\.+$/, '').toLowerCase()
  if (host === '') return refusal('not_a_url', 'has no host')
  return parseIp(host) ? refuseOutboundAddress(host, policy) : refuseName(host, policy)
}

/** The same for an address that a name resolved to. Text that is no address is refused. */
export function refuseOutboundAddress(text: string, { allowPrivate }: OutboundPolicy): OutboundRefusal | null {
  const address = parseIp(text)
  if (!address) return refusal('not_a_url', 'did not resolve to an IP address')
  for (const form of [address, ...embeddedIpv4(address)]) {
    if (NEVER.some((range) => cidrContains(range, form))) return METADATA_REFUSAL
    if (!allowPrivate && PRIVATE.some((range) => cidrContains(range, form))) return PRIVATE_REFUSAL
  }
  return null
}

/** Link-local (all clouds' metadata), metadata services outside it, multicast, reserved. */
const NEVER = ranges(`
  169.254.0.0/16 fe80::/10
  100.100.100.200/32 168.63.129.16/32 192.0.0.192/32 fd00:ec2::/32 fd20:ce::254/128 fd00:42::42/128
  224.0.0.0/4 240.0.0.0/4 ff00::/8`)

/** Loopback, unspecified, RFC 1918, carrier NAT, benchmarking, unique local. */
const PRIVATE = ranges(`
  0.0.0.0/8 127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 192.0.0.0/24 198.18.0.0/15
  ::/128 ::1/128 fc00::/7 fec0::/10`)

const METADATA_NAMES = [
  'metadata',
  'metadata.google.internal',
  'metadata.goog',
  'instance-data',
  'instance-data.ec2.internal',
]
const PRIVATE_NAMES = /(^|\.)(localhost|local|internal|lan|home\.arpa)$/

const METADATA_REFUSAL = refusal('metadata_address', 'points to a link-local or cloud metadata address')
const PRIVATE_REFUSAL = refusal(
  'private_address',
  'points into a private network, which ALLOW_PRIVATE_UPSTREAMS=false forbids',
)

function refuseName(host: string, { allowPrivate }: OutboundPolicy): OutboundRefusal | null {
  if (METADATA_NAMES.includes(host)) return METADATA_REFUSAL
  return !allowPrivate && PRIVATE_NAMES.test(host) ? PRIVATE_REFUSAL : null
}

/** Ranges whose addresses hold an IPv4 one, and at which byte: compatible, translated (SIIT), NAT64 of all and of a network's own, 6to4. */
const EMBEDDING = [
  ['::/96', 12],
  ['::ffff:0:0:0/96', 12],
  ['64:ff9b::/96', 12],
  ['64:ff9b:1::/48', 12],
  ['2002::/16', 2],
] as const
const EMBEDDING_RANGES = EMBEDDING.map(([range, at]) => ({ range: parseCidr(range)!, at }))
/** Teredo holds its server's address, and its client's with all bits turned over (RFC 4380). */
const TEREDO = parseCidr('2001::/32')!

/** IPv4 addresses that an IPv6 address stands for, in mapped form. */
function embeddedIpv4(address: IpBytes): IpBytes[] {
  if (isIpv4(address)) return []
  const found = EMBEDDING_RANGES.filter(({ range }) => cidrContains(range, address)).map(({ at }) =>
    mapped(address.subarray(at, at + 4)),
  )
  // ISATAP (RFC 5214): any prefix, then 0:5efe or 200:5efe.
  if ((address[8]! & 0xfd) === 0 && address[9] === 0 && address[10] === 0x5e && address[11] === 0xfe) {
    found.push(mapped(address.subarray(12, 16)))
  }
  if (cidrContains(TEREDO, address)) {
    found.push(mapped(address.subarray(4, 8)), mapped(address.subarray(12, 16).map((byte) => byte ^ 0xff)))
  }
  return found
}

function mapped(ipv4: Uint8Array): IpBytes {
  const bytes = new Uint8Array(16)
  bytes.fill(0xff, 10, 12)
  bytes.set(ipv4, 12)
  return bytes
}

function ranges(text: string) {
  return text
    .trim()
    .split(/\s+/)
    .map((range) => parseCidr(range)!)
}

function refusal(code: OutboundRefusal['code'], message: string): OutboundRefusal {
  return { code, message }
}
