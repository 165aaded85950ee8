/** Usage statistics for tests: believable files, and the whole of it over a database. */
import { CLI_ACTOR } from '../../src/admin/actor.ts'
import { createStatisticsAdmin } from '../../src/admin/statistics.ts'
import { openStatistics } from '../../src/app/open-statistics.ts'
import { readConfig } from '../../src/config/read-config.ts'
import type { Receipt } from '../../src/core/receipt.ts'
import { insertReceipts } from '../../src/db/receipts.ts'
import { upsertSettings } from '../../src/db/settings.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import type { FreshDatabase } from './database.ts'

export interface TokensOnWire {
  input_tokens?: number
  output_tokens?: number
  reasoning_tokens?: number
  cached_tokens?: number
  total_tokens?: number
}

export interface DetailOnWire {
  timestamp: string
  source: string
  auth_index: string
  tokens: Required<TokensOnWire>
  failed: boolean
}

export interface ModelOnWire {
  total_requests: number
  total_tokens: number
  details: DetailOnWire[]
}

export interface SnapshotOnWire {
  version: 1
  total_requests: number
  success_count: number
  failure_count: number
  total_tokens: number
  apis: Record<string, { total_requests: number; total_tokens: number; models: Record<string, ModelOnWire> }>
  requests_by_day: Record<string, number>
  requests_by_hour: Record<string, number>
  tokens_by_day: Record<string, number>
  tokens_by_hour: Record<string, number>
}

/** As a tool would write it: totals made of the details, by day and hour of UTC. */
export function snapshotOf(apis: Record<string, Record<string, DetailOnWire[]>>): SnapshotOnWire {
  const details = Object.values(apis).flatMap((models) => Object.values(models).flat())
  const sum = (list: readonly DetailOnWire[]) => list.reduce((total, { tokens }) => total + tokens.total_tokens, 0)
  const by = (nameOf: (detail: DetailOnWire) => string) => Map.groupBy(details, nameOf)
  const dayOf = ({ timestamp }: DetailOnWire) => new Date(timestamp).toISOString().slice(0, 10)
  const hourOf = ({ timestamp }: DetailOnWire) => new Date(timestamp).toISOString().slice(11, 13)
  const counts = (groups: Map<string, DetailOnWire[]>, of: (list: readonly DetailOnWire[]) => number) =>
    Object.fromEntries([...groups].map(([name, list]) => [name, of(list)]))
  const failed = details.filter((detail) => detail.failed).length
  return {
    version: 1,
    total_requests: details.length,
    success_count: details.length - failed,
    failure_count: failed,
    total_tokens: sum(details),
    apis: Object.fromEntries(
      Object.entries(apis).map(([key, models]) => {
        const all = Object.values(models).flat()
        const entries = Object.entries(models).map(([model, list]) => [
          model,
          { total_requests: list.length, total_tokens: sum(list), details: list },
        ])
        return [key, { total_requests: all.length, total_tokens: sum(all), models: Object.fromEntries(entries) }]
      }),
    ),
    requests_by_day: counts(by(dayOf), (list) => list.length),
    requests_by_hour: counts(by(hourOf), (list) => list.length),
    tokens_by_day: counts(by(dayOf), sum),
    tokens_by_hour: counts(by(hourOf), sum),
  }
}

export function detailOnWire(
  over: Partial<Omit<DetailOnWire, 'tokens'>> & { tokens?: TokensOnWire } = {},
): DetailOnWire {
  const { tokens, ...rest } = over
  const input = tokens?.input_tokens ?? 10
  return {
    timestamp: '2026-07-24T12:00:00.123456789Z',
    source: 'someone@example.com',
    auth_index: 'a1b2c3d4',
    tokens: {
      input_tokens: input,
      output_tokens: 5,
      reasoning_tokens: 0,
      cached_tokens: 0,
      total_tokens: input + 5,
      ...tokens,
    },
    failed: false,
    ...rest,
  }
}

/** One process's statistics over a database, as the relay, operators and a restart see them; flushes happen by hand. */
export async function statisticsOver(
  { db, sql }: Pick<FreshDatabase, 'db' | 'sql'>,
  environment: Record<string, string> = {},
  clock: Clock = systemClock,
) {
  const config = await readConfig({ environment })
  if ('problems' in config) throw new Error(config.problems.join())
  const { timezone: timeZone } = config
  let waiting: Receipt[] = []
  async function flush(): Promise<void> {
    const batch = waiting
    waiting = []
    await insertReceipts(sql, batch, { timeZone })
    statistics.stats.flushed(batch)
  }
  const statistics = openStatistics({ config, sql, log: silentLog, flush, clock })
  const patch = async (actor: { name: string }, values: Record<string, unknown>) => {
    await upsertSettings(db, values, actor.name)
    return values
  }
  const admin = createStatisticsAdmin({ sql, timeZone, statistics, clock, settings: { patch } })
  const written = async (made: Promise<Generator<string>>) => JSON.parse([...(await made)].join(''))
  return {
    ...statistics,
    flush,
    /** What the relay does when a request has ended. */
    accept(receipt: Receipt): void {
      statistics.stats.record(receipt)
      waiting.push(receipt)
    },
    snapshot: (mostDetails: number | null = null): Promise<SnapshotOnWire> => written(admin.snapshot(mostDetails)),
    export: (): Promise<{ version: 1; exported_at: string; usage: SnapshotOnWire }> => written(admin.export()),
    exportText: admin.export,
    importChunks: (chunks: AsyncIterable<Uint8Array>) => admin.importFrom(CLI_ACTOR, { chunks }),
    /** In pieces of a size that no token respects. */
    import: (file: unknown, pieceBytes = 1000) =>
      admin.importFrom(CLI_ACTOR, {
        chunks: piecesOf(typeof file === 'string' ? file : JSON.stringify(file), pieceBytes),
      }),
  }
}

async function* piecesOf(text: string, pieceBytes: number): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text)
  for (let from = 0; from < bytes.length; from += pieceBytes) yield bytes.subarray(from, from + pieceBytes)
}
