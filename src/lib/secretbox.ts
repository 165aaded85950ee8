/**
 * Secrets at rest: AES-256-GCM under a key derived (HKDF-SHA256) from one master secret, with the key's id in the box, so that
 * the master secret can be replaced while old boxes still open.
 *
 * A box is text: `v1.<key id>.<base64url of nonce (12) | ciphertext | tag (16)>`. The *context* ("account:<id>") is
 * authenticated with it: a box copied to another row does not open there. Nonces are random; at 96 bits one key is good for
 * 2^32 boxes (NIST SP 800-38D §8.3).
 * If it fails: `open` throws `cannot open …` without any part of the secret: wrong key, wrong context or damaged text.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

export interface Secretbox {
  /** Id of the key that seals. */
  keyId: string
  seal(plain: string, context: string): string
  open(box: string, context: string): string
  /** The same secret under the current key; the same text when it is already. */
  rotate(box: string, context: string): string
}

const VERSION = 'v1'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** `secret` seals and opens, `previous` ones only open. */
export function createSecretbox(secret: string, previous: readonly string[] = []): Secretbox {
  const current = deriveKey(secret)
  const keys = new Map([...previous.map(deriveKey), current].map((key) => [key.id, key.bytes]))

  function seal(plain: string, context: string): string {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', current.bytes, nonce)
    cipher.setAAD(associatedData(current.id, context))
    const body = Buffer.concat([nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()])
    return `${VERSION}.${current.id}.${body.toString('base64url')}`
  }

  function open(box: string, context: string): string {
    const [version, keyId = '', text = ''] = box.split('.')
    const key = keys.get(keyId)
    if (version !== VERSION) throw new Error(`cannot open the secret of ${context}: unknown format`)
    if (key === undefined) throw new Error(`cannot open the secret of ${context}: it was sealed with another key`)
    const body = Buffer.from(text, 'base64url')
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, body.subarray(0, NONCE_BYTES))
      decipher.setAAD(associatedData(keyId, context))
      decipher.setAuthTag(body.subarray(-TAG_BYTES))
      return Buffer.concat([decipher.update(body.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8')
    } catch {
      throw new Error(`cannot open the secret of ${context}: it is damaged or belongs elsewhere`)
    }
  }

  function rotate(box: string, context: string): string {
    return box.startsWith(`${VERSION}.${current.id}.`) ? box : seal(open(box, context), context)
  }

  return { keyId: current.id, seal, open, rotate }
}

/** 32 bytes for one purpose, from the master secret: knowing one derived key tells nothing of another (RFC 5869). */
export function deriveSecret(secret: string, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', `turnpike ${purpose}`, 32))
}

function deriveKey(secret: string): { id: string; bytes: Uint8Array } {
  const bytes = deriveSecret(secret, 'secretbox v1')
  const id = Buffer.from(deriveSecret(secret, 'secretbox v1 key id')).subarray(0, 4).toString('hex')
  return { id, bytes }
}

/** The header is authenticated too: nobody can relabel a box. */
function associatedData(keyId: string, context: string): Buffer {
  return Buffer.from(`${VERSION}.${keyId}.${context}`)
}
