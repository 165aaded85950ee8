import { expect, test } from 'bun:test'
import { joinUrl } from '../../src/providers/provider.ts'
import { providerFor } from '../../src/providers/table.ts'
import { makeAccount } from '../support/make.ts'

test.each([
  ['https://api.openai.com', 'https://api.openai.com/v1/x'],
  ['https://api.openai.com/', 'https://api.openai.com/v1/x'],
  ['https://api.openai.com/v1', 'https://api.openai.com/v1/x'],
  ['https://api.openai.com/v1/', 'https://api.openai.com/v1/x'],
  ['https://openrouter.ai/api/v1', 'https://openrouter.ai/api/v1/x'],
  ['https://host/v1beta/openai/', 'https://host/v1beta/openai/x'],
  ['http://127.0.0.1:9/m/cc-300-0', 'http://127.0.0.1:9/m/cc-300-0/v1/x'],
  ['http://v1.example.com', 'http://v1.example.com/v1/x'],
])('a base URL is taken with or without slash and version: %s (REL-3)', (base, expected) => {
  expect(joinUrl(base, 'v1', '/x')).toBe(expected)
})

test('an OpenAI sign-in account goes to the Codex endpoint with its account id (REL-3)', () => {
  const codex = providerFor('openai', 'oauth')
  const account = makeAccount({ id: 'a', type: 'oauth', credentials: { chatgptAccountId: 'acc-1' } })
  const operation = {
    id: 'responses',
    protocol: 'openai-responses',
    metered: true,
    generates: true,
    streaming: 'body',
    path: '/responses',
  } as const
  expect(codex?.endpoint({ account, operation, model: 'm', version: 'v1', stream: false, search: '' })).toBe(
    'https://chatgpt.com/backend-api/codex/responses',
  )
  expect(codex?.authorize(account, 'token')).toEqual({ authorization: 'Bearer token', 'chatgpt-account-id': 'acc-1' })
  expect(codex?.forceStoreFalse).toBe(true)
})

test('a Gemini model with a slash or odd characters stays one path segment (REL-3)', () => {
  const gemini = providerFor('gemini', 'api_key')
  const account = makeAccount({ id: 'a', platform: 'gemini', credentials: { baseUrl: 'http://h' } })
  const operation = {
    id: 'g',
    protocol: 'gemini',
    metered: true,
    generates: true,
    streaming: 'path',
    path: '/models/{model}:generateContent',
  } as const
  expect(
    gemini?.endpoint({ account, operation, model: 'a/b c', version: 'v1beta', stream: false, search: '?alt=sse' }),
  ).toBe('http://h/v1beta/models/a%2Fb%20c:generateContent?alt=sse')
})
