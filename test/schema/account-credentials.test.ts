import { describe, expect, test } from 'bun:test'
import { hintOf, mask, readCredentials } from '../../src/schema/account-credentials.ts'

describe('account credentials', () => {
  test('wire names become core’s, and only what was given is there (contract)', () => {
    expect(readCredentials('api_key', { api_key: 'sk-1', base_url: 'http://localhost:1' })).toEqual({
      apiKey: 'sk-1',
      baseUrl: 'http://localhost:1',
    })
    expect(
      readCredentials('oauth', {
        access_token: 'a',
        refresh_token: 'r',
        expires_at: '2026-08-01T00:00:00Z',
        chatgpt_account_id: 'c',
      }),
    ).toEqual({ accessToken: 'a', refreshToken: 'r', expiresAtMs: Date.UTC(2026, 7, 1), chatgptAccountId: 'c' })
    expect(readCredentials('oauth', { access_token: 'a', expires_at: null })).toEqual({
      accessToken: 'a',
      expiresAtMs: null,
    })
  })

  test('what does not belong to the type, or is missing for it, is a fault naming the field (ACC-8)', () => {
    expect(readCredentials('api_key', {})).toMatchObject({ fault: 'invalid', field: 'credentials.api_key' })
    expect(readCredentials('api_key', { api_key: 'k', access_token: 'a' })).toMatchObject({
      field: 'credentials.access_token',
    })
    expect(readCredentials('oauth', {})).toMatchObject({ field: 'credentials.refresh_token' })
    expect(readCredentials('aws', { aws_access_key_id: 'a' })).toMatchObject({
      field: 'credentials.aws_secret_access_key',
    })
    expect(readCredentials('oauth', { access_token: 'a', expires_at: '2026-99-01T00:00:00Z' })).toMatchObject({
      field: 'credentials.expires_at',
    })
  })

  test('the hint shows four characters of each secret and none of a short one (ACC-8)', () => {
    const credentials = { apiKey: 'sk-proj-0123456789abcdef', baseUrl: 'http://localhost:1', expiresAtMs: 0 }
    expect(hintOf(credentials)).toEqual({
      api_key: '…cdef',
      base_url: 'http://localhost:1',
      expires_at: '1970-01-01T00:00:00.000Z',
    })
    expect(mask('short')).toBe('…')
    expect(hintOf({ refreshToken: 'rt', awsSecretAccessKey: 'x'.repeat(40) })).toEqual({
      refresh_token: '…',
      aws_secret_access_key: '…xxxx',
    })
  })
})
