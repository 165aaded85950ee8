import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { connectHead, type Http1Request, requestHead, routeOf } from '../../src/lib/http1-request.ts'

function headOf(request: Partial<Http1Request>): string {
  const whole: Http1Request = {
    url: 'http://a.example/',
    method: 'POST',
    headers: {},
    body: null,
    proxyUrl: null,
    ...request,
  }
  return requestHead(whole, routeOf(whole.url, whole.proxyUrl))
}

describe('the head of a request', () => {
  test('names path, host and length; a port only where it is not the usual one', () => {
    const body = new Uint8Array(3)
    expect(headOf({ url: 'https://api.example:443/v1/x?a=b%20c#frag', headers: { accept: '*/*' }, body })).toBe(
      'POST /v1/x?a=b%20c HTTP/1.1\r\naccept: */*\r\nhost: api.example\r\ncontent-length: 3\r\n\r\n',
    )
    expect(headOf({ url: 'http://[::1]:8080', method: 'GET' })).toBe('GET / HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n')
    expect(headOf({ body: null })).toContain('content-length: 0\r\n')
  })

  test('what frames the message is never the caller’s', () => {
    const headers = {
      'Content-Length': '99',
      'transfer-encoding': 'chunked',
      Connection: 'close',
      TE: 'trailers',
      Upgrade: 'x',
    }
    expect(headOf({ headers, body: new Uint8Array(1) })).toBe(
      'POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 1\r\n\r\n',
    )
  })

  test('no header can end a line, whatever it holds', () => {
    const nasty = fc.string({ unit: fc.constantFrom('a', '\r', '\n', ':', ' ', '\0', 'ü', '€') })
    fc.assert(
      fc.property(nasty, nasty, (name, value) => {
        let head: string
        try {
          head = headOf({ headers: { [name]: value } })
        } catch {
          return
        }
        expect(head.split('\r\n')).toHaveLength(6)
        expect(head.replaceAll('\r\n', '')).not.toMatch(/[\r\n\0]/)
      }),
    )
    expect(() => headOf({ headers: { 'x-a': 'b\r\nx-c: d' } })).toThrow('malformed request header "x-a"')
    expect(() => headOf({ method: 'GET /x HTTP/1.1\r\n' })).toThrow('malformed method')
  })

  test('credentials in the URL become an authorization header, unless one was given', () => {
    const url = 'http://us%40er:p%@a.example/'
    expect(headOf({ url })).toContain(`authorization: Basic ${btoa('us@er:p%')}\r\n`)
    expect(headOf({ url })).toContain('host: a.example\r\n')
    expect(headOf({ url, headers: { Authorization: 'Bearer t' } })).not.toContain('Basic')
  })
})

describe('whom to dial', () => {
  test('without a proxy: the origin', () => {
    expect(routeOf('https://api.example/v1', null).target).toMatchObject({
      host: 'api.example',
      port: 443,
      secure: true,
      tunnel: null,
    })
    expect(routeOf('http://[::1]/', null).target).toMatchObject({ host: '::1', port: 80, secure: false })
  })

  test('http through a proxy: the whole URL in the request line, credentials for the proxy, none of the URL’s own (REL-5)', () => {
    const proxyUrl = 'http://me:secret@proxy.example:3128'
    expect(routeOf('http://u:p@a.example/x?y', proxyUrl)).toMatchObject({
      target: { host: 'proxy.example', port: 3128, secure: false, tunnel: null },
      requestTarget: 'http://a.example/x?y',
      proxyAuthorization: `Basic ${btoa('me:secret')}`,
    })
    expect(headOf({ url: 'http://a.example/x', proxyUrl })).toBe(
      `POST http://a.example/x HTTP/1.1\r\nhost: a.example\r\nproxy-authorization: Basic ${btoa('me:secret')}\r\ncontent-length: 0\r\n\r\n`,
    )
  })

  test('https through a proxy: a tunnel, whose credentials stay out of the request itself (REL-5)', () => {
    const proxyUrl = 'http://me:secret@proxy.example:3128'
    const { target, proxyAuthorization } = routeOf('https://[::1]/x', proxyUrl)
    expect(target.tunnel).toMatchObject({ authority: '[::1]:443', host: '::1' })
    expect(proxyAuthorization).toBeNull()
    expect(connectHead(target.tunnel as NonNullable<typeof target.tunnel>).toString()).toBe(
      `CONNECT [::1]:443 HTTP/1.1\r\nhost: [::1]:443\r\nproxy-authorization: Basic ${btoa('me:secret')}\r\n\r\n`,
    )
    expect(headOf({ url: 'https://a.example/', proxyUrl })).not.toContain('secret')
  })

  test('connections are shared by scheme, host, port and proxy, by nothing less', () => {
    const key = (url: string, proxy: string | null = null) => routeOf(url, proxy).target.key
    expect(key('https://a.example/x')).toBe(key('https://a.example:443/y'))
    const keys = [
      key('https://a.example'),
      key('http://a.example'),
      key('https://a.example:444'),
      key('https://b.example'),
      key('https://a.example', 'http://p:1'),
      key('https://a.example', 'http://u:v@p:1'),
    ]
    expect(new Set(keys).size).toBe(keys.length)
  })

  test('other schemes are refused', () => {
    expect(() => routeOf('ftp://a.example', null)).toThrow('URL must be http')
    expect(() => routeOf('nonsense', null)).toThrow('URL must be http')
    expect(() => routeOf('http://a.example', 'socks5://p:1')).toThrow('proxy URL must be http')
  })
})
