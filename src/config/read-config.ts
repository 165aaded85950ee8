/**
 * Command line, environment and an optional YAML file → one frozen Config, or all that is wrong with them.
 *
 * Invariants: flag > environment > file > default. A value that isn't allowed is refused naming the variable and what it may be;
 * unknown keys in the file are refused (there they can only be mistakes), unknown environment variables are not ours to judge.
 * A variable set to the empty string counts as not set (compose files write `REDIS_URL=`).
 */
import type { TSchema } from '@sinclair/typebox'
import { type Config, SETTINGS, type SettingName, variableOf, wireNameOf } from '../config.ts'
import { allowedIn, isAllowed } from './check-setting.ts'

export interface ConfigSources {
  environment: Readonly<Record<string, string | undefined>>
  /** Text of the YAML file. */
  fileText?: string | null
  /** Options of the command line, by setting's name. */
  flags?: Readonly<Partial<Record<SettingName, string>>>
}

/** A Config, or every problem found: one sentence each, fit to be shown (a secret's value never is). */
export async function readConfig(sources: ConfigSources): Promise<Config | { problems: string[] }> {
  const { environment, fileText, flags = {} } = sources
  const file = await readFile(fileText ?? '')
  const problems = [...file.problems]
  const config: Record<string, unknown> = {}
  for (const [name, schema] of SETTINGS) {
    const variable = variableOf(name)
    const given = [flags[name], environment[variable], file.values[wireNameOf(name)]]
    const raw = given.find((value) => value !== undefined && value !== null && value !== '')
    const value = raw === undefined ? structuredClone(schema.default) : coerce(schema, raw)
    if (isAllowed(name, schema, value)) config[name] = Array.isArray(value) ? Object.freeze(value) : value
    else problems.push(`${variable} must be ${allowedIn(schema)}${schema.secret ? '' : `, not ${shown(raw)}`}`)
  }
  return problems.length > 0 ? { problems } : (Object.freeze(config) as Config)
}

async function readFile(fileText: string): Promise<{ values: Record<string, unknown>; problems: string[] }> {
  if (fileText.trim() === '') return { values: {}, problems: [] }
  // Loaded only for those who have a file: it takes longer than everything else here. It knows lines and repeated keys.
  const { parseDocument } = await import('yaml')
  const document = parseDocument(fileText)
  const fault = document.errors[0]
  if (fault) return { values: {}, problems: [`the config file is not valid YAML: ${fault.message.split('\n')[0]}`] }
  const values: unknown = document.toJS() ?? {}
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    return { values: {}, problems: ['the config file must be a map of settings to values'] }
  }
  const known = new Set(SETTINGS.map(([name]) => wireNameOf(name)))
  const unknown = Object.keys(values).filter((key) => !known.has(key))
  const problems = unknown.map((key) => `the config file has an unknown setting "${key}"`)
  return { values: values as Record<string, unknown>, problems }
}

const YES = ['true', '1', 'yes', 'on']
const NO = ['false', '0', 'no', 'off']

/** Text from the environment → the setting's type. What doesn't fit is returned as it is, to be refused by the check. */
function coerce(schema: TSchema, raw: unknown): unknown {
  const type = schema.type ?? schema.anyOf?.[0]?.type
  if (type === 'string' && typeof raw === 'number') return String(raw)
  if (typeof raw !== 'string') return raw
  const trimmed = raw.trim()
  if (type === 'integer' || type === 'number') return /^-?\d+(\.\d+)?$/.test(trimmed) ? Number(trimmed) : raw
  if (type === 'boolean' && YES.includes(trimmed.toLowerCase())) return true
  if (type === 'boolean' && NO.includes(trimmed.toLowerCase())) return false
  if (type === 'array') return trimmed.split(',').flatMap((part) => part.trim() || [])
  return trimmed
}

function shown(raw: unknown): string {
  const plain = typeof raw === 'string' ? raw : JSON.stringify(raw)
  return JSON.stringify(plain.length > 60 ? `${plain.slice(0, 60)}…` : plain)
}
