/** Compares two secrets without telling by its duration where they differ, or whether their lengths do. */
import { timingSafeEqual } from 'node:crypto'

export function sameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected))
}

function digest(text: string): Uint8Array {
  return new Bun.CryptoHasher('sha256').update(text).digest()
}
