/** UUIDv7 (RFC 9562): time-ordered ids for every stored thing; a request's id carries its creation time. */
export function newId(nowMs?: number): string {
  return nowMs === undefined ? Bun.randomUUIDv7() : Bun.randomUUIDv7('hex', nowMs)
}

/** Epoch milliseconds inside a UUIDv7, or null when the text is no UUIDv7. */
export function timeOfId(id: string): number | null {
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)) return null
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}
