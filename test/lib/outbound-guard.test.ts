import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { cidrContains, parseCidr, parseIp } from '../../src/lib/ip-address.ts'
import { refuseOutboundAddress, refuseOutboundUrl } from '../../src/lib/outbound-guard.ts'

const open = { allowPrivate: true }
const closed = { allowPrivate: false }
const codeOf = (url: string, policy = open) => refuseOutboundUrl(url, policy)?.code ?? null

describe('outbound guard', () => {
  test('public http and https URLs pass (OPS-10)', () => {
    for (const url of [
      'https://api.openai.com/v1',
      'http://8.8.8.8:8080',
      'https://[2606:4700::1111]/',
      'HTTPS://Example.COM',
    ]) {
      expect(codeOf(url, closed)).toBeNull()
    }
  })

  test('other schemes, credentials and non-URLs are refused (OPS-10)', () => {
    expect(codeOf('ftp://example.com')).toBe('scheme')
    expect(codeOf('file:///etc/passwd')).toBe('scheme')
    expect(codeOf('socks5://proxy:1080')).toBe('scheme')
    expect(codeOf('https://user:pass@example.com')).toBe('credentials_in_url')
    expect(codeOf('https://user@example.com')).toBe('credentials_in_url')
    expect(codeOf('example.com/v1')).toBe('not_a_url')
    expect(codeOf('')).toBe('not_a_url')
    expect(codeOf('http://')).toBe('not_a_url')
  })

  test('cloud metadata is refused in every spelling, whatever the setting (OPS-10)', () => {
    const spellings = `http://169.254.169.254/latest http://169.254.169.254./ http://2852039166/ http://0xA9FEA9FE/ http://0xa9.0xfe.0xa9.0xfe/
      http://0251.0376.0251.0376/ http://169.254.43518/ http://169.16689662/ http://[::ffff:169.254.169.254]/ http://[::ffff:a9fe:a9fe]/
      http://[::169.254.169.254]/ http://[64:ff9b::169.254.169.254]/ http://[2002:a9fe:a9fe::]/ http://[fe80::1]/ http://[febf::1]/
      http://[fd00:ec2::254]/ http://[fd20:ce::254]/ http://100.100.100.200/ http://168.63.129.16/ http://169.254.170.2/v2/credentials
      http://metadata.google.internal/ http://METADATA.google.internal./ http://metadata/ http://①⑥⑨.②⑤④.①⑥⑨.②⑤④/ http://169%2e254%2e169%2e254/`
    for (const url of spellings.split(/\s+/)) expect([url, codeOf(url, open)]).toEqual([url, 'metadata_address'])
  })

  test('private ranges pass by default and are refused by the setting (OPS-10)', () => {
    const privates = `http://localhost:11434 http://ollama.local http://127.0.0.1 http://127.1 http://0x7f000001 http://0 http://10.1.2.3
      http://172.16.0.1 http://172.31.255.255 http://192.168.1.1 http://100.64.0.1 http://[::1]:8080 http://[::]/ http://[fc00::1]
      http://[fdff::1] http://[::ffff:10.0.0.1] http://[64:ff9b::7f00:1] http://db.internal http://sub.localhost`
    for (const url of privates.split(/\s+/)) {
      expect([url, codeOf(url, open)]).toEqual([url, null])
      expect([url, codeOf(url, closed)]).toEqual([url, 'private_address'])
    }
    expect(codeOf('http://172.32.0.1', closed)).toBeNull()
    expect(codeOf('http://11.0.0.1', closed)).toBeNull()
  })

  test('a resolved address is judged by the same ranges; what is no address is refused (OPS-10)', () => {
    expect(refuseOutboundAddress('169.254.169.254', open)?.code).toBe('metadata_address')
    expect(refuseOutboundAddress('fe80::1%eth0', open)?.code).toBe('metadata_address')
    expect(refuseOutboundAddress('10.0.0.5', closed)?.code).toBe('private_address')
    expect(refuseOutboundAddress('10.0.0.5', open)).toBeNull()
    expect(refuseOutboundAddress('not-an-address', open)).not.toBeNull()
  })

  test('no spelling of an IPv4 address changes the verdict (OPS-10)', () => {
    fc.assert(
      fc.property(fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)), ([a, b, c, d]) => {
        const verdict = codeOf(`http://${a}.${b}.${c}.${d}/`, closed)
        const value = ((a * 256 + b) * 256 + c) * 256 + d
        const hex = value.toString(16).padStart(8, '0')
        const spellings = [
          `http://${value}/`,
          `http://0x${hex}/`,
          `http://0${a.toString(8)}.0${b.toString(8)}.0${c.toString(8)}.0${d.toString(8)}/`,
          `http://[::ffff:${hex.slice(0, 4)}:${hex.slice(4)}]/`,
        ]
        return spellings.every((url) => codeOf(url, closed) === verdict)
      }),
      { numRuns: 500 },
    )
  })

  test('any text gives a verdict, never an exception (OPS-11)', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => codeOf(`http://${text}`) !== undefined))
    expect(codeOf('http://[')).toBe('not_a_url')
  })
})

describe('IP addresses', () => {
  test('addresses are equal whatever their spelling', () => {
    expect(parseIp('::ffff:1.2.3.4')).toEqual(parseIp('1.2.3.4'))
    expect(parseIp('[2001:DB8::1]')).toEqual(parseIp('2001:db8:0:0:0:0:0:1'))
  })

  test('what is no address is null', () => {
    const wrong = [
      '',
      '1.2.3',
      '1.2.3.256',
      '01.2.3.4',
      '1.2.3.4.5',
      ':::',
      '1::2::3',
      '12345::',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      'g::',
    ]
    for (const text of wrong) expect([text, parseIp(text)]).toEqual([text, null])
  })

  test('a range contains exactly the addresses that share its prefix', () => {
    const contains = (range: string, address: string) => cidrContains(parseCidr(range)!, parseIp(address)!)
    expect(contains('10.0.0.0/9', '10.127.255.255')).toBe(true)
    expect(contains('10.0.0.0/9', '10.128.0.0')).toBe(false)
    expect(contains('10.1.2.3', '10.1.2.3')).toBe(true)
    expect(contains('10.1.2.3/0', '200.1.1.1')).toBe(true)
    expect(contains('10.1.2.3/0', '2001:db8::1')).toBe(false)
    expect(contains('::/0', '10.0.0.1')).toBe(true)
    expect(contains('fc00::/7', 'fdff::1')).toBe(true)
    for (const wrong of ['10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0.0/-1', 'x/8'])
      expect(parseCidr(wrong)).toBeNull()
  })
})
