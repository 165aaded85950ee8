import { describe, expect, test } from 'bun:test'
import { MASK, maskHeaders } from '../../src/core/recorded-request.ts'

const mask = (headers: Record<string, string>, addresses = false) => maskHeaders(new Headers(headers), { addresses })

describe('recorded headers', () => {
  test('who somebody is and what they sign in with is masked, by name (USE-1)', () => {
    for (const name of [
      'authorization',
      'proxy-authorization',
      'x-api-key',
      'api-key',
      'x-goog-api-key',
      'cookie',
      'set-cookie',
      'chatgpt-account-id',
      'x-amz-security-token',
      'x-csrf-token',
      'openai-organization',
      'x-client-secret',
      'www-authenticate',
      'x-signature',
    ]) {
      expect([name, mask({ [name]: 'a value' })]).toEqual([name, { [name]: MASK }])
    }
  })

  test('what helps to understand a request is kept (USE-1)', () => {
    const plain = {
      'content-type': 'application/json',
      'user-agent': 'codex_cli_rs/0.50.0',
      'anthropic-beta': 'context-1m-2025-08-07',
      'anthropic-ratelimit-tokens-remaining': '1000',
      'x-ratelimit-remaining-tokens': '1000',
      session_id: '0198',
    }
    expect(mask(plain)).toEqual(plain)
  })

  test('a secret in any other header is taken out by its look (USE-1, OPS-8)', () => {
    const { referer, 'x-note': note } = mask({
      referer: 'https://host/v1?key=AIzaSyA1234567890123456789012345',
      'x-note': 'Bearer sk-proj-abcdefghijklmnop',
    })
    expect(`${referer} ${note}`).not.toMatch(/AIza|sk-proj/)
  })

  test('where a client is stays out unless addresses are recorded (USE-1)', () => {
    const given = { 'x-forwarded-for': '203.0.113.7', 'x-real-ip': '203.0.113.7' }
    expect(mask(given)).toEqual({ 'x-forwarded-for': MASK, 'x-real-ip': MASK })
    expect(mask(given, true)).toEqual(given)
  })
})
