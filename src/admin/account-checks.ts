/** What makes sense in an account or proxy, beyond each field's own type. Pure: the first thing that is wrong, as a Fault. */
import type { AccountCredentials } from '../core/entities.ts'
import { type Fault, invalid } from '../core/fault.ts'
import { ACCOUNT_TYPES, type AccountType, PLATFORMS, type Platform } from '../core/platform.ts'
import { type OutboundPolicy, refuseOutboundUrl } from '../lib/outbound-guard.ts'

const TYPES_OF: Record<Platform, readonly AccountType[]> = {
  openai: ['api_key', 'oauth'],
  anthropic: ['api_key', 'oauth'],
  gemini: ['api_key', 'oauth'],
  bedrock: ['aws'],
}

const VISIBLE_ASCII = /^[\x21-\x7e]+$/
/** us-east-1, us-gov-west-1, ap-southeast-2 */
const AWS_REGION = /^[a-z]{2}(?:-[a-z]+)+-\d$/

export function checkPlatformAndType(platform: Platform, type: AccountType): Fault | null {
  if (!PLATFORMS.includes(platform) || !ACCOUNT_TYPES.includes(type)) return invalid('type', 'unknown platform or type')
  const types = TYPES_OF[platform]
  return types.includes(type) ? null : invalid('type', `an account of ${platform} is of type ${types.join(' or ')}`)
}

export function checkCredentials(credentials: AccountCredentials, policy: OutboundPolicy): Fault | null {
  const { baseUrl, userAgent } = credentials
  // Header values are visible ASCII: anything else would make every request of the account fail.
  if (userAgent !== undefined && !/^[\x20-\x7e]+$/.test(userAgent)) {
    return invalid('credentials.user_agent', 'user_agent must be printable ASCII')
  }
  const fault = checkHeaderValues(credentials) ?? checkAwsCredentials(credentials)
  if (fault) return fault
  return baseUrl === undefined ? null : checkUrl('credentials.base_url', baseUrl, policy)
}

/** A key pasted with its line break would fail each request, and tell nobody why. */
function checkHeaderValues({ apiKey, accessToken, chatgptAccountId }: AccountCredentials): Fault | null {
  const values = { api_key: apiKey, access_token: accessToken, chatgpt_account_id: chatgptAccountId }
  const [wrong] = Object.entries(values).find(([, value]) => value !== undefined && !VISIBLE_ASCII.test(value)) ?? []
  return wrong ? invalid(`credentials.${wrong}`, `${wrong} must be visible ASCII without spaces and line breaks`) : null
}

/** The region becomes part of a host name, key id and token become headers: nothing else may get in there. */
function checkAwsCredentials(credentials: AccountCredentials): Fault | null {
  const { awsAccessKeyId: keyId, awsSecretAccessKey: secret, awsSessionToken: token, awsRegion: region } = credentials
  if (region !== undefined && !AWS_REGION.test(region)) {
    return invalid('credentials.aws_region', 'aws_region is no AWS region such as us-east-1')
  }
  if (keyId !== undefined && !/^\w{16,128}$/.test(keyId)) {
    return invalid('credentials.aws_access_key_id', 'aws_access_key_id must be 16 to 128 letters and digits')
  }
  if (secret !== undefined && !VISIBLE_ASCII.test(secret)) {
    return invalid('credentials.aws_secret_access_key', 'aws_secret_access_key must be visible ASCII without spaces')
  }
  if (token !== undefined && !VISIBLE_ASCII.test(token)) {
    return invalid('credentials.aws_session_token', 'aws_session_token must be visible ASCII without spaces')
  }
  return null
}

/** The path goes on behind a base URL, so it can't have a query or fragment. */
function checkUrl(field: string, text: string, policy: OutboundPolicy): Fault | null {
  const refusal = refuseOutboundUrl(text, policy)
  if (refusal) return invalid(field, `the URL ${refusal.message}`)
  // The parser would take tabs and line breaks out of it without a word.
  if (/[\s\p{Cc}]/u.test(text)) return invalid(field, 'the URL must have no spaces and no line breaks')
  return /[?#]/.test(text) ? invalid(field, 'the URL must have no query and no fragment') : null
}

/** REL-5: http and CONNECT work; the runtime has no SOCKS. */
export function checkProxyUrl(text: string, policy: OutboundPolicy): Fault | null {
  if (/^socks/i.test(text)) {
    return invalid('url', 'SOCKS proxies are not supported: the runtime only speaks http:// and https:// to a proxy')
  }
  const refusal = refuseOutboundUrl(text, policy)
  if (refusal?.code === 'credentials_in_url') {
    return invalid('url', 'give user name and password in the fields "username" and "password", not in the URL')
  }
  if (refusal) return invalid('url', `the URL ${refusal.message}`)
  const { pathname, search, hash } = new URL(text)
  return pathname === '/' && search === '' && hash === ''
    ? null
    : invalid('url', 'a proxy has no path, query or fragment')
}

/** ACC-2: `*` stands at the end only, and in the target only when the pattern has one to stand for. */
export function checkModelMapping(mapping: Readonly<Record<string, string>>): Fault | null {
  for (const [pattern, target] of Object.entries(mapping)) {
    const fault = checkPattern('model_mapping', pattern) ?? checkPattern('model_mapping', target)
    if (fault) return fault
    if (target.endsWith('*') && !pattern.endsWith('*')) {
      return invalid('model_mapping', `"${target}" ends in *, but "${pattern}" has no * for it to stand for`)
    }
  }
  return null
}

/** A model name, or the beginning of one followed by `*`. */
export function checkPattern(field: string, pattern: string): Fault | null {
  if (pattern === '' || pattern !== pattern.trim()) return invalid(field, `"${pattern}" is not a model name`)
  const star = pattern.indexOf('*')
  return star === -1 || star === pattern.length - 1 ? null : invalid(field, `"${pattern}": * may only stand at the end`)
}
