import { describe, expect, test } from 'bun:test'
import { createOutboundGate } from '../../src/lib/outbound-gate.ts'
import { until } from '../support/until.ts'

/** A gate with names, a clock and a count of look-ups of the test's own. */
function gateOf(names: Record<string, string[] | null>, allowPrivate = true) {
  const time = { nowMs: 0 }
  const policy = { allowPrivate }
  const asked: string[] = []
  const refusals: string[] = []
  const gate = createOutboundGate({
    policy,
    nowMs: () => time.nowMs,
    async lookup(host) {
      asked.push(host)
      const addresses = names[host]
      if (!addresses) throw new Error('ENOTFOUND')
      return addresses.map((address) => ({ address }))
    },
    onRefused: ({ message }) => refusals.push(message),
  })
  const codeOf = async (url: string) => (await gate.check(url))?.refusal.code ?? null
  return { gate, time, policy, asked, refusals, names, codeOf }
}

describe('the outbound gate', () => {
  test('a name that leads to a metadata or link-local address is refused, whatever it looks like (OPS-10)', async () => {
    const { codeOf, refusals } = gateOf({
      'api.example': ['93.184.216.34'],
      'rebound.example': ['169.254.169.254'],
      'mixed.example': ['93.184.216.34', 'fe80::1%eth0'],
      'mapped.example': ['::ffff:169.254.169.254'],
      'nat64.example': ['64:ff9b::a9fe:a9fe'],
      'teredo.example': ['2001:0:a9fe:a9fe::'],
    })
    expect(await codeOf('https://api.example/v1/chat')).toBeNull()
    for (const name of ['rebound', 'mixed', 'mapped', 'nat64', 'teredo']) {
      expect([name, await codeOf(`https://${name}.example/v1`)]).toEqual([name, 'metadata_address'])
    }
    expect(refusals[0]).toBe('rebound.example points to a link-local or cloud metadata address')
  })

  test('names that lead into private networks follow the setting, at once when it changes (OPS-10)', async () => {
    const { codeOf, policy } = gateOf({ 'ollama.example': ['10.0.0.5'] })
    expect(await codeOf('http://ollama.example:11434/v1')).toBeNull()
    policy.allowPrivate = false
    expect(await codeOf('http://ollama.example:11434/v1')).toBe('private_address')
    policy.allowPrivate = true
    expect(await codeOf('http://ollama.example:11434/v1')).toBeNull()
  })

  test('literal addresses in every spelling are judged without a look-up, and without waiting (OPS-10)', () => {
    const { gate, asked } = gateOf({})
    for (const host of [
      '169.254.169.254',
      '2852039166',
      '0xA9.0xFE.0xA9.0xFE',
      '0251.0376.0251.0376',
      '[::ffff:a9fe:a9fe]',
    ]) {
      expect(gate.check(`http://${host}/latest`)).toMatchObject({ refusal: { code: 'metadata_address' } })
    }
    expect(gate.check('http://127.0.0.1:9/v1')).toBeNull()
    expect(gate.check('http://[2606:4700::1111]/v1')).toBeNull()
    expect(asked).toEqual([])
  })

  test('localhost in all its forms is private, by name and by address (OPS-10)', async () => {
    const { codeOf } = gateOf({ 'looks.public.example': ['::1'], 'zero.example': ['0.0.0.0'] }, false)
    const hosts = 'localhost LOCALHOST localhost. sub.localhost 127.1 0 [::1] [::] looks.public.example zero.example'
    for (const host of hosts.split(' '))
      expect([host, await codeOf(`http://${host}/`)]).toEqual([host, 'private_address'])
  })

  test('a request to a known name waits for nothing and looks nothing up (OPS-10)', async () => {
    const { gate, asked, time } = gateOf({ 'api.example': ['93.184.216.34'] })
    expect(gate.check('https://api.example/v1/a')).toBeInstanceOf(Promise)
    await gate.check('https://api.example/v1/b')
    for (let i = 0; i < 10; i++) expect(gate.check(`https://api.example/v1/${i}?x=1`)).toBeNull()
    time.nowMs = 4_999
    expect(gate.check('https://api.example/')).toBeNull()
    expect(asked).toEqual(['api.example'])
  })

  test('a name that changes afterwards is found out in the background, or before the next use (OPS-10)', async () => {
    const { gate, time, names, codeOf } = gateOf({ 'api.example': ['93.184.216.34'] })
    expect(await codeOf('https://api.example/')).toBeNull()
    names['api.example'] = ['169.254.169.254']
    time.nowMs = 5_000
    // This one still goes by the old verdict, and has it renewed.
    expect(gate.check('https://api.example/')).toBeNull()
    const refused = await until(() => gate.check('https://api.example/'), { what: 'the new verdict' })
    expect(refused).toMatchObject({ refusal: { code: 'metadata_address' } })
    names['api.example'] = ['93.184.216.34']
    time.nowMs = 10_000
    expect(await codeOf('https://api.example/')).toBeNull()
    // Nobody asked for a minute: it is looked up before it is used.
    names['api.example'] = ['169.254.169.254']
    time.nowMs = 70_000
    expect(await codeOf('https://api.example/')).toBe('metadata_address')
  })

  test('a resolver that is away refuses nobody, and forgets no refusal (OPS-10)', async () => {
    const { names, time, codeOf } = gateOf({ 'bad.example': ['169.254.169.254'] })
    expect(await codeOf('https://unknown.example/')).toBeNull()
    expect(await codeOf('https://bad.example/')).toBe('metadata_address')
    names['bad.example'] = null
    time.nowMs = 100_000
    expect(await codeOf('https://bad.example/')).toBe('metadata_address')
  })

  test('a hundred requests at once ask the resolver once (OPS-10)', async () => {
    const { gate, asked } = gateOf({ 'api.example': ['93.184.216.34'] })
    await Promise.all(Array.from({ length: 100 }, () => gate.check('https://api.example/v1')))
    expect(asked).toHaveLength(1)
  })

  test('what a proxy will resolve is judged by its text alone (OPS-10)', () => {
    const { gate, asked } = gateOf({})
    expect(gate.checkText('http://169.254.169.254/latest')).toMatchObject({ refusal: { code: 'metadata_address' } })
    expect(gate.checkText('http://metadata.google.internal/')).toMatchObject({ refusal: { code: 'metadata_address' } })
    expect(gate.checkText('https://inside.example/')).toBeNull()
    expect(asked).toEqual([])
  })
})
