/** AWS Signature Version 4 step by step from its documentation, to check signatures as AWS does. Shares no code with what signs. */
import { createHash, createHmac } from 'node:crypto'

export interface SignedRequest {
  method: string
  /** Path as it stands in the request line. */
  target: string
  header(name: string): string | null | undefined
  body: Uint8Array
}

const sha256 = (data: Uint8Array | string) => createHash('sha256').update(data).digest('hex')
const hmac = (key: Uint8Array | string, data: string) => createHmac('sha256', key).update(data).digest()

/** The `authorization` header that AWS would accept for this request, by the headers that the one sent says it covers. */
export function expectedAuthorization(request: SignedRequest, secret: string): string {
  const sent = request.header('authorization') ?? ''
  const [, scope = '', signedHeaders = ''] = /Credential=([^,]+), SignedHeaders=([^,]+),/.exec(sent) ?? []
  const [, date = '', region = '', service = ''] = scope.split('/')
  const path = request.target.split('/').map(encodeURIComponent).join('/')
  const headers = signedHeaders.split(';').map((name) => `${name}:${request.header(name)?.trim()}\n`)
  const canonical = [request.method, path, '', headers.join(''), signedHeaders, sha256(request.body)].join('\n')
  const credentialScope = scope.split('/').slice(1).join('/')
  const toSign = ['AWS4-HMAC-SHA256', request.header('x-amz-date'), credentialScope, sha256(canonical)].join('\n')
  const key = hmac(hmac(hmac(hmac(`AWS4${secret}`, date), region), service), 'aws4_request')
  const signature = hmac(key, toSign).toString('hex')
  return `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`
}
