/** Rounds of kill -9 under load, and the books afterwards. */
import { expect } from 'bun:test'
import { anyDialect, askDoctor, type Books, checkBooks, type Load, openCrashScene, startLoad } from './crash-scene.ts'
import { type DatabaseGate, startDatabaseGate } from './database-gate.ts'
import type { EmbeddedPlace } from './embedded-place.ts'
import { type Gateway, startGateway } from './gateway.ts'
import { startUpstream } from './scripted-upstream.ts'
import { until } from './until.ts'

export type CrashKind = 'gateway' | 'database' | 'both'

export interface CrashOptions {
  kind: CrashKind
  rounds: number
  /** Clients. */
  atATime: number
  settings?: Record<string, string>
  onRound?(round: number, load: Load): void
}

export interface CrashResult {
  books: Books
  load: Load
}

/** A moment under load before something is killed; long enough for a flush now and then. */
const LONGEST_MOMENT_MS = 1500

export async function runCrashRounds(place: EmbeddedPlace, options: CrashOptions): Promise<CrashResult> {
  const { kind, rounds, atATime } = options
  const database = kind === 'gateway' ? null : await startDatabaseGate(place)
  const settings: Record<string, string> = { ...options.settings, ...(database ? { DATABASE_URL: database.url } : {}) }
  const upstream = await startUpstream(anyDialect)
  let gateway = await startGateway(settings)
  const scene = await openCrashScene(gateway, upstream.url)
  const load = startLoad(scene, () => gateway.url, atATime)
  try {
    await until(() => load.complete.size >= 20, { what: 'the first answers' })
    for (let round = 1; round <= rounds; round++) {
      await Bun.sleep(Math.random() * LONGEST_MOMENT_MS)
      gateway = await crash(kind, { gateway, database, settings, load })
      options.onRound?.(round, load)
    }
    await Bun.sleep(100)
    await load.stop()
    const books = await checkBooks(gateway, scene, load)
    expect(await askDoctor(gateway, settings)).toBe('')
    expect(await gateway.stop()).toBe(0)
    return { books, load }
  } finally {
    await load.stop()
    await gateway.remove()
    await upstream.stop()
    await database?.stop()
  }
}

interface Running {
  gateway: Gateway
  database: DatabaseGate | null
  settings: Record<string, string>
  load: Load
}

/** The gateway that runs afterwards. */
async function crash(kind: CrashKind, { gateway, database, settings, load }: Running): Promise<Gateway> {
  if (kind !== 'gateway') {
    database?.kill()
    const before = load.complete.size
    // Relaying goes on from memory (OPS-5).
    await until(() => load.complete.size >= before + 10, { what: 'answers while the database is away' })
  }
  if (kind !== 'database') await gateway.stop('SIGKILL')
  await database?.revive()
  return kind === 'database' ? gateway : startGateway(settings, gateway.folder)
}
