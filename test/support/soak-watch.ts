/** What a gateway under load holds, minute by minute: its memory from /proc, the rest from its `/metrics`. */
import { residentBytes } from './process-memory.ts'

export interface Gauges {
  inFlight: number
  queued: number
  backlog: number
  journalBytes: number
  bodyBytes: number
  /** Event-loop delay of the last minute in ms. */
  delayMs: { p50: number; p99: number; max: number }
  cpuSeconds: number
  /** All requests counted so far. */
  requests: number
}

export async function readGauges(url: string): Promise<Gauges> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const sum = (name: string, label = '') =>
    text
      .split('\n')
      .filter((line) => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.includes(label))
      .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  const delay = (quantile: string) => sum('turnpike_event_loop_delay_seconds', `quantile="${quantile}"`) * 1000
  return {
    inFlight: sum('turnpike_requests_in_flight'),
    queued: sum('turnpike_requests_queued'),
    backlog: sum('turnpike_usage_backlog'),
    journalBytes: sum('turnpike_journal_bytes'),
    bodyBytes: sum('turnpike_request_body_bytes'),
    delayMs: { p50: delay('0.5'), p99: delay('0.99'), max: delay('1') },
    cpuSeconds: sum('process_cpu_seconds_total'),
    requests: sum('turnpike_requests_total'),
  }
}

export interface MemorySamples {
  /** Bytes that memory grew by over the second half of what was watched, by the line of least squares. */
  secondHalfGrowth(): number
  /** The lowest of each quarter: between two of them lies what garbage does not explain. */
  floors(): number[]
  stop(): void
}

const SAMPLE_EVERY_MS = 2000

export function sampleMemory(pid: number): MemorySamples {
  const samples: [number, number][] = []
  const timer = setInterval(() => samples.push([performance.now(), residentBytes(pid)]), SAMPLE_EVERY_MS)
  return {
    secondHalfGrowth() {
      const half = samples.slice(Math.floor(samples.length / 2))
      const first = half[0]?.[0] ?? 0
      const last = half.at(-1)?.[0] ?? 0
      return slope(half) * (last - first)
    },
    floors() {
      const lowest = (quarter: number) => {
        const bounds = [quarter, quarter + 1].map((bound) => Math.floor((bound / 4) * samples.length))
        return Math.min(...samples.slice(...bounds).map(([, bytes]) => bytes))
      }
      return [0, 1, 2, 3].map(lowest)
    },
    stop: () => clearInterval(timer),
  }
}

/** Of y over x, by least squares. */
function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (of: 0 | 1) => points.reduce((sum, point) => sum + point[of], 0) / points.length
  const [meanX, meanY] = [mean(0), mean(1)]
  const spread = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  const together = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0)
  return spread === 0 ? 0 : together / spread
}
