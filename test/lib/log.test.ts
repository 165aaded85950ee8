import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import fc from 'fast-check'
import { createLog, type LogOptions } from '../../src/lib/log.ts'
import { redact, redactText } from '../../src/lib/redact.ts'

const clock = { nowMs: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6) }

function recording(options: LogOptions = {}) {
  const lines: string[] = []
  return { lines, log: createLog({ clock, pretty: false, write: (line) => lines.push(line), ...options }) }
}

describe('log', () => {
  test('an event is one JSON line with time, level, event and its fields in snake_case (OPS-8)', () => {
    const { lines, log } = recording()
    log.with({ requestId: 'r-1' }).info('request finished', { status: 200, durationMs: 12 })
    expect(lines[0]).toEndWith('}\n')
    expect(JSON.parse(lines[0]!)).toEqual({
      time: '2026-01-02T03:04:05.006Z',
      level: 'info',
      event: 'request finished',
      request_id: 'r-1',
      status: 200,
      duration_ms: 12,
    })
  })

  test('events lighter than the level are not written (OPS-8)', () => {
    const { lines, log } = recording({ level: 'warn' })
    log.debug('a')
    log.info('b')
    log.warn('c')
    log.error('d')
    expect(lines).toHaveLength(2)
    const off = recording({ level: 'off' })
    off.log.error('e')
    expect(off.lines).toEqual([])
  })

  test('a field cannot forge the envelope, a text cannot forge a line (OPS-8)', () => {
    const { lines, log } = recording()
    log.info('x\n{"level":"error"}', { level: 'error', time: 'then', note: 'a\nb' })
    expect(lines[0]!.trimEnd()).not.toContain('\n')
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'info', field_level: 'error', field_time: 'then' })
    const pretty = recording({ pretty: true })
    pretty.log.info('x\ny', { note: '\x1b[2Jboo\r\n' })
    for (const forged of ['\n', '\r', '\x1b[2J']) expect(pretty.lines[0]!.trimEnd()).not.toContain(forged)
  })

  test('a value that cannot be written down loses its line at most, never the caller (OPS-8)', () => {
    const { log } = recording({
      write: () => {
        throw new Error('disk full')
      },
    })
    expect(() => log.info('x')).not.toThrow()
    const cycle: Record<string, unknown> = { big: 10n }
    cycle.self = cycle
    const kept = recording()
    kept.log.error('odd', { cycle, error: new TypeError('boom') })
    expect(JSON.parse(kept.lines[0]!)).toMatchObject({
      cycle: { big: '10' },
      error: { name: 'TypeError', message: 'boom' },
    })
  })
})

describe('standard output', () => {
  test('a reader that goes away costs lines, not the process (OPS-8)', async () => {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, '../fixtures/log-to-closed-pipe.ts')], {
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const reader = child.stdout.getReader()
    await reader.read()
    await reader.cancel()
    expect(await new Response(child.stderr).text()).toBe('still here\n')
    expect(await child.exited).toBe(0)
  })
})

describe('redaction', () => {
  test('fields with the names of secrets are hidden however they are spelled (OPS-8)', () => {
    const names = [
      'authorization',
      'X-Api-Key',
      'apiKey',
      'api_key',
      'refreshToken',
      'cookie',
      'set-cookie',
      'password',
      'credentials',
      'email',
      'body',
    ]
    for (const name of names)
      expect(JSON.stringify(redact({ deep: [{ [name]: 'hunter2hunter2' }] }))).not.toContain('hunter2')
  })

  test('counts and ids that only sound like secrets stay readable (OPS-8)', () => {
    const fields = {
      inputTokens: 12,
      totalTokens: 3,
      keyId: '0190a0c0-0000-7000-8000-000000000000',
      model: 'gpt-5.2-codex',
      token: null,
    }
    expect(redact(fields)).toEqual(fields)
  })

  test('secrets are recognised inside texts by their look (OPS-8)', () => {
    const hex = 'a1'.repeat(32)
    const secrets = [
      `tp_${hex}`,
      `my-prefix_${hex}`,
      'sk-ant-api03-abcdefghijklmnop_QRST',
      'sk-proj-0123456789abcdefghij',
      `AIza${'x'.repeat(35)}`,
      'AKIAIOSFODNN7EXAMPLE',
      'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl',
      'somebody@example.com',
    ]
    for (const secret of secrets) {
      const clean = redactText(`upstream said: "${secret}" is wrong`)
      expect([secret, clean]).toEqual([secret, 'upstream said: "[redacted]" is wrong'])
    }
    expect(redactText('postgres://tp:hunter2@db/x')).toBe('postgres://[redacted]@db/x')
    expect(redactText('GET /v1beta/models?key=abc123&alt=sse')).toBe('GET /v1beta/models?key=[redacted]&alt=sse')
    expect(redactText('authorization: Bearer abcdef123456')).toBe('authorization: Bearer [redacted]')
  })

  test('an error keeps its stack, code and causes, and loses secrets and query parameters (OPS-8)', () => {
    const cause = Object.assign(new Error('duplicate key value (email)=(ada@example.com)'), { code: '23505' })
    const error = new Error('Failed query: insert into users values ($1)\nparams: Ada,hunter2', { cause })
    const clean = redact(error) as { message: string; stack: string[]; cause: { code: string } }
    expect(clean.message).toBe('Failed query: insert into users values ($1)')
    expect(clean.stack[0]).toContain('log.test.ts')
    expect(clean.cause.code).toBe('23505')
    expect(JSON.stringify(clean)).not.toMatch(/hunter2|ada@/)
    const circle = new Error('round')
    circle.cause = circle
    expect(JSON.stringify(redact(circle)).length).toBeLessThan(20_000)
  })

  test('ordinary sentences stay as they are', () => {
    for (const text of [
      'request 0190a0c0-0000-7000-8000-000000000000 took 12 ms',
      'claude-opus-4-5-20251101',
      'no account supports model x',
    ]) {
      expect(redactText(text)).toBe(text)
    }
  })

  test('any value comes out as JSON, bounded in size (OPS-11)', () => {
    fc.assert(fc.property(fc.anything(), (value) => JSON.stringify(redact({ value })).length >= 0))
    expect(redactText('x'.repeat(1_000_000)).length).toBeLessThan(5000)
    expect(JSON.stringify(redact(Array(100_000).fill('x'))).length).toBeLessThan(1000)
  })
})
