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
  const host = url.hostname.replace(/\.+$/, '').toLowerCase()
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

const COMPATIBLE = parseCidr('::/96')!
const NAT64 = parseCidr('64:ff9b::/96')!
const SIX_TO_FOUR = parseCidr('2002::/16')!

/** IPv4 addresses that an IPv6 address stands for, in mapped form. */
function embeddedIpv4(address: IpBytes): IpBytes[] {
  if (isIpv4(address)) return []
  if (cidrContains(COMPATIBLE, address) || cidrContains(NAT64, address)) return [mapped(address.subarray(12, 16))]
  return cidrContains(SIX_TO_FOUR, address) ? [mapped(address.subarray(2, 6))] : []
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
