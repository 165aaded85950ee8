import { describe, expect, test } from 'bun:test'
import type { ApiKey } from '../../src/core/entities.ts'
import { checkKey, checkModel, compileKey, type KeyCheck } from '../../src/core/key.ts'
import { makeGroup, makeKey, makeUser } from '../support/make.ts'

const check = (key: Partial<ApiKey>, over: Partial<KeyCheck> = {}) =>
  checkKey({
    policy: compileKey(makeKey(key)),
    user: makeUser(),
    group: makeGroup(),
    platform: 'openai',
    nowMs: 1000,
    userAgent: 'codex_exec/0.169.0 (Debian 12.0.0; x86_64)',
    address: '10.1.2.3',
    ...over,
  })?.code ?? null

describe('what a key may do without counters', () => {
  test('a plain key of an active user passes (KEY-4)', () => {
    expect(check({})).toBeNull()
  })
  test('a disabled key is refused (KEY-4)', () => {
    expect(check({ active: false })).toBe('api_key_disabled')
  })
  test('a key is refused the very moment it expires, not before (KEY-11)', () => {
    expect(check({ expiresAtMs: 1001 })).toBeNull()
    expect(check({ expiresAtMs: 1000 })).toBe('api_key_expired')
  })
  test('an expired key is told so also when the job has marked it (KEY-4, KEY-11)', () => {
    expect(check({ active: false, expiresAtMs: 1000 })).toBe('api_key_expired')
    expect(check({ active: false, expiresAtMs: 1001 })).toBe('api_key_disabled')
  })
  test('the key of a disabled user is refused (KEY-4)', () => {
    expect(check({}, { user: makeUser({ status: 'disabled' }) })).toBe('user_disabled')
  })
  test('permissions name the platforms that a key may reach; claude is Anthropic (KEY-5)', () => {
    expect(check({ permissions: ['openai'] })).toBeNull()
    expect(check({ permissions: ['claude', 'gemini'] })).toBe('platform_not_allowed')
    expect(check({ permissions: ['claude'] }, { platform: 'anthropic', group: null })).toBeNull()
  })
  test('a key of a group serves that group’s platform only (ACC-12)', () => {
    expect(check({}, { group: makeGroup({ platform: 'gemini' }) })).toBe('platform_not_allowed')
  })
  test('an exclusive group serves its listed users only (ACC-12)', () => {
    expect(check({}, { group: makeGroup({ exclusive: true }) })).toBe('group_not_allowed')
    expect(check({}, { group: makeGroup({ exclusive: true, userIds: ['user-1'] }) })).toBeNull()
  })
  test('a disabled group serves nobody (ACC-12)', () => {
    expect(check({}, { group: makeGroup({ status: 'disabled' }) })).toBe('group_not_allowed')
  })
  test.each([
    ['claude-cli/2.1.330 (external, sdk-cli)', 'claude_code'],
    ['codex_exec/0.169.0 (Debian 12.0.0; x86_64) dumb (codex_exec; 0.169.0)', 'codex_cli'],
    ['GeminiCLI-tui/0.61.0/gemini-2.5-pro (linux; x64; terminal)', 'gemini_cli'],
    ['MyTool/3', 'mytool/*'],
  ])('client restriction knows %s (KEY-9)', (userAgent, name) => {
    expect(check({ clientRestriction: true, clients: [name] }, { userAgent })).toBeNull()
    expect(check({ clientRestriction: true, clients: [name] }, { userAgent: 'curl/8' })).toBe('client_not_allowed')
  })
  test('deny lists beat allow lists; ranges, single addresses and v6 are understood (KEY-5)', () => {
    expect(check({ ipAllow: ['10.0.0.0/8'] })).toBeNull()
    expect(check({ ipAllow: ['10.0.0.0/8'], ipDeny: ['10.1.2.3'] })).toBe('ip_not_allowed')
    expect(check({ ipAllow: ['192.168.0.0/16'] })).toBe('ip_not_allowed')
    expect(check({ ipAllow: ['2001:db8::/32'] }, { address: '2001:db8::7' })).toBeNull()
    expect(check({ ipAllow: ['10.0.0.0/8'] }, { address: '::ffff:10.9.9.9' })).toBeNull()
    expect(check({ ipAllow: ['10.0.0.0/8'] }, { address: null })).toBe('ip_not_allowed')
  })
  test('model lists allow or deny, with a star at the end (KEY-5)', () => {
    const allow = compileKey(makeKey({ modelRestriction: 'allow', models: ['gpt-5*', 'o3'] }))
    expect([checkModel(allow, 'gpt-5.4'), checkModel(allow, 'o3')]).toEqual([null, null])
    expect(checkModel(allow, 'o3-pro')?.code).toBe('model_not_allowed')
    const denied = compileKey(makeKey({ modelRestriction: 'deny', models: ['gpt-5*'] }))
    expect(checkModel(denied, 'gpt-5.4')?.code).toBe('model_not_allowed')
    expect(checkModel(denied, 'o3')).toBeNull()
  })
})
