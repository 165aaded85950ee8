/**
 * The URL of a request. Bun puts it together from the Host header, which is the client's choice: with one that no URL can have
 * ("", "a b", "x/y", "[::") it is a bare path, or does not parse at all. The host means nothing here; the path and query always hold.
 */
export function urlOf(request: Request): URL {
  return URL.parse(request.url) ?? new URL(`http://localhost${request.url.replace(/^https?:\/\/[^/?#]*/i, '')}`)
}
