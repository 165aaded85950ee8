/** The recorded provider responses beside the repository, if they are there. Data only; nothing of them is in the repository. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const folder = join(import.meta.dir, '../../../shared/fixtures')

export const RECORDED = existsSync(folder)

export interface Recorded {
  name: string
  family: string
  stream: boolean
  httpStatus: number
  contentType: string
  body: Uint8Array
  expected: {
    model: string | null
    final_status: string
    finish_reason: string | number | null
    service_tier: string | number | null
    response_id: string | null
    input_tokens: number | null
    output_tokens: number | null
    total_tokens: number | null
    usage_raw: unknown
    error: { type?: string; code?: string | number; status?: string | number; message?: string } | null
  }
  normalized: {
    uncached_input: number
    cache_read: number
    cache_write: number
    cache_write_1h?: number
    cache_write_5m?: number
    output_total: number
    reasoning: number
    ambiguous?: boolean
    iterations_beyond_top_level?: boolean
    iterations_sum?: { input: number; cache_read: number; cache_write: number; output: number }
  } | null
}

export function recorded(): Recorded[] {
  if (!RECORDED) return []
  const names = (readdirSync(folder, { recursive: true }) as string[]).filter((name) => name.endsWith('.meta.json'))
  return names.sort().map((name) => {
    const meta = JSON.parse(readFileSync(join(folder, name), 'utf8'))
    return {
      name: name.replace('.meta.json', ''),
      family: meta.family,
      stream: meta.stream,
      httpStatus: meta.response.status,
      contentType: meta.response.headers?.['content-type'] ?? (meta.stream ? 'text/event-stream' : 'application/json'),
      body: new Uint8Array(readFileSync(join(folder, dirname(name), meta.file))),
      expected: meta.expected,
      normalized: meta.normalized,
    }
  })
}
