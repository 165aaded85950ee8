import { describe, expect, test } from 'bun:test'
import { signAws } from '../../src/credentials/sign-aws.ts'
import { expectedAuthorization } from '../support/aws-signature.ts'
import { makeAccount } from '../support/make.ts'

const KEYS = { awsAccessKeyId: 'AKIDEXAMPLE', awsSecretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const NOW = Date.UTC(2015, 7, 30, 12, 36, 0, 999)
const plain = { url: 'https://example.amazonaws.com/', body: null, service: 'service', region: 'us-east-1', nowMs: NOW }

describe('AWS signatures', () => {
  // "get-vanilla" and "post-vanilla" of AWS's own test suite for Signature Version 4.
  test.each([
    ['GET', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    ['POST', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
  ])('a plain %s is signed as in AWS’s test suite (ACC-16)', async (method, signature) => {
    expect(await signAws(KEYS, { ...plain, method })).toEqual({
      'x-amz-date': '20150830T123600Z',
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, ' +
        `SignedHeaders=host;x-amz-date, Signature=${signature}`,
    })
  })

  test('path, body and session token are covered, an encoded colon or slash twice encoded (ACC-16)', async () => {
    const target = '/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.anthropic.claude-v1%3A0/invoke'
    const url = `http://localhost:8080${target}`
    const body = new TextEncoder().encode('{"messages":[]}')
    const keys = { ...KEYS, awsSessionToken: 'token//of+session==' }
    const headers = await signAws(keys, { ...plain, url, method: 'POST', body, service: 'bedrock' })
    const sent: Record<string, string> = { ...headers, host: 'localhost:8080' }
    const request = { method: 'POST', target, body, header: (name: string) => sent[name] ?? null }
    expect(sent['x-amz-security-token']).toBe('token//of+session==')
    expect(sent.authorization).toContain('SignedHeaders=host;x-amz-date;x-amz-security-token')
    expect(sent.authorization).toBe(expectedAuthorization(request, KEYS.awsSecretAccessKey))
    const other = { ...request, body: new TextEncoder().encode('{"messages":[1]}') }
    expect(sent.authorization).not.toBe(expectedAuthorization(other, KEYS.awsSecretAccessKey))
  })

  test('an account without keys is not usable (ACC-5)', async () => {
    const account = makeAccount({ id: 'a', platform: 'bedrock', type: 'aws', credentials: { awsAccessKeyId: 'A' } })
    expect(await signAws(account.credentials, { ...plain, method: 'POST' })).toBeNull()
  })
})
