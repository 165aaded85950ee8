/** A throw-away CA with certificates for localhost and for another name, made with the openssl command; null where there is none. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Certificates {
  ca: string
  /** Path of `ca`, for environment variables. */
  caFile: string
  key: string
  /** For localhost, 127.0.0.1 and ::1. */
  cert: string
  /** By the same CA, for other.example. */
  otherCert: string
  remove(): void
}

export function createCertificates(): Certificates | null {
  if (!Bun.which('openssl')) return null
  const folder = mkdtempSync(join(tmpdir(), 'turnpike-tls-'))
  const at = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => Bun.spawnSync(['openssl', ...args], { cwd: folder }).success
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const sign = (name: string, names: string) => {
    writeFileSync(at(`${name}.ext`), `subjectAltName=${names}`)
    return openssl(
      ...['x509', '-req', '-in', 'server.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
      ...['-days', '2', '-extfile', `${name}.ext`, '-out', `${name}.pem`],
    )
  }
  const made =
    openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=test') &&
    openssl('req', ...newKey, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=server') &&
    sign('cert', 'DNS:localhost,IP:127.0.0.1,IP:::1') &&
    sign('other', 'DNS:other.example')
  if (!made) return null
  const read = (name: string) => readFileSync(at(name), 'utf8')
  return {
    ca: read('ca.pem'),
    caFile: at('ca.pem'),
    key: read('server.key'),
    cert: read('cert.pem'),
    otherCert: read('other.pem'),
    remove: () => rmSync(folder, { recursive: true }),
  }
}
