/**
 * Who is calling: the address of the socket, or, when the socket belongs to a trusted proxy, what that proxy says.
 *
 * `x-forwarded-for` is read from the right: each trusted hop vouches for the one before it, the first untrusted one is the client.
 * Anybody else's header is only text.
 */
import { type Cidr, cidrContains, parseCidr, parseIp } from '../lib/ip-address.ts'

/** The part of Bun's server that is used here. */
export interface AddressSource {
  requestIP(request: Request): { address: string } | null
}

export type ClientAddress = (request: Request, server: AddressSource | null) => string | null

export function createClientAddress(trustedProxies: readonly string[]): ClientAddress {
  const trusted = trustedProxies.map(parseCidr).filter((range): range is Cidr => range !== null)
  const isTrusted = (address: string): boolean => {
    const ip = parseIp(address)
    return ip !== null && trusted.some((range) => cidrContains(range, ip))
  }

  return (request, server) => {
    let address = server?.requestIP(request)?.address ?? null
    if (trusted.length === 0 || address === null || !isTrusted(address)) return address
    const hops = (request.headers.get('x-forwarded-for') ?? '').split(',').reverse()
    for (const hop of hops) {
      const claimed = hop.trim()
      if (parseIp(claimed) === null) break
      address = claimed
      if (!isTrusted(claimed)) break
    }
    return address
  }
}
