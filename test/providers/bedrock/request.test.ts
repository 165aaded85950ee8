import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { toCountTokensBody, toInvokeBody } from '../../../src/providers/bedrock/request.ts'

const V = '"anthropic_version":"bedrock-2023-05-31"'
const bytes = (text: string) => new TextEncoder().encode(text)
const invoke = (body: string, betas: string | null = null) => Buffer.from(toInvokeBody(bytes(body), betas)).toString()

describe('a Messages body for Bedrock', () => {
  test.each([
    ['{"model":"m","messages":[]}', `{${V},"messages":[]}`],
    ['{"messages":[],"model":"m"}', `{${V},"messages":[]}`],
    ['{"model":"m","stream":true}', `{${V}}`],
    ['{"stream":true,"max_tokens":1e2,"model":"m"}', `{${V},"max_tokens":1e2}`],
    ['{ "a" : 1.0 ,\n "model" : "m" , "b":"\\u00e9" }', `{${V}, "a" : 1.0  , "b":"\\u00e9" }`],
    [
      '{"model":"m","model":"n","messages":[{"model":"in","stream":1}]}',
      `{${V},"messages":[{"model":"in","stream":1}]}`,
    ],
    ['{"m\\u006fdel":"m","x":1}', `{${V},"x":1}`],
    ['{"anthropic_version":"vertex-2023-10-16","model":"m","x":1}', `{${V},"x":1}`],
  ])('%s loses model and stream and gains the version; every other byte stays (REL-2, ACC-16)', (from, to) => {
    expect(invoke(from)).toBe(to)
  })

  test('whatever the order of members, the JSON is the client’s without model and stream, with the version (REL-2)', () => {
    const key = fc.constantFrom('model', 'stream', 'anthropic_version', 'a', 'b', 'messages', 'x"y', 'model ')
    const space = fc.constantFrom('', ' ', '\n\t ')
    const member = fc.record({ key, value: fc.jsonValue(), gaps: fc.array(space, { minLength: 4, maxLength: 4 }) })
    fc.assert(
      fc.property(fc.array(member, { minLength: 1, maxLength: 8 }), (members) => {
        const text = members.map(
          ({ key, value, gaps: [a, b, c, d] }) => `${a}${JSON.stringify(key)}${b}:${c}${JSON.stringify(value)}${d}`,
        )
        const { model, stream, ...rest } = JSON.parse(`{${text.join(',')}}`)
        expect(JSON.parse(invoke(`{${text.join(',')}}`))).toEqual({ ...rest, anthropic_version: 'bedrock-2023-05-31' })
      }),
      { numRuns: 300 },
    )
  })

  test('betas of the header come into the body, but for those that Bedrock refuses whole requests for (ACC-16)', () => {
    const header = 'claude-code-20250219, interleaved-thinking-2025-05-14,context-1m-2025-08-07,oauth-2025-04-20'
    expect(invoke('{"model":"m"}', header)).toBe(
      `{${V},"anthropic_beta":["interleaved-thinking-2025-05-14","context-1m-2025-08-07"]}`,
    )
    expect(invoke('{"model":"m","x":1}', 'claude-code-20250219')).toBe(`{${V},"x":1}`)
  })

  test('betas that the body names itself stay, once (ACC-16)', () => {
    expect(invoke('{"anthropic_beta":["my-beta","context-1m-2025-08-07"],"model":"m"}', 'context-1m-2025-08-07')).toBe(
      `{${V},"anthropic_beta":["my-beta","context-1m-2025-08-07"]}`,
    )
  })

  test('counting wraps what would be invoked, with a cap where there is none (ACC-16)', () => {
    const counted = (body: string) => {
      const { input } = JSON.parse(Buffer.from(toCountTokensBody(bytes(body), null)).toString())
      return Buffer.from(input.invokeModel.body, 'base64').toString()
    }
    expect(counted('{"model":"m","messages":[]}')).toBe(`{${V},"max_tokens":1024,"messages":[]}`)
    expect(counted('{"model":"m","max_tokens":5}')).toBe(`{${V},"max_tokens":5}`)
  })
})
