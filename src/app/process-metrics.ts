/** The process itself for Prometheus: version, CPU, memory, start, event loop. Read when asked, nothing is kept. */
import type { LoopDelay } from '../lib/loop-delay.ts'
import type { Family } from '../lib/prometheus-text.ts'

export function processFamilies(delay: LoopDelay, version: string): Family[] {
  const { p50Ms, p99Ms, maxMs } = delay.read()
  const { user, system } = process.cpuUsage()
  const quantile = (name: string, ms: number) => ({ labels: { quantile: name }, value: ms / 1000 })
  return [
    {
      name: 'turnpike_event_loop_delay_seconds',
      help: 'How late the event loop was in the last minute; quantile 1 is the longest.',
      type: 'gauge',
      samples: [quantile('0.5', p50Ms), quantile('0.99', p99Ms), quantile('1', maxMs)],
    },
    {
      name: 'turnpike_build_info',
      help: 'Always 1; the version is a label.',
      type: 'gauge',
      samples: [{ labels: { version }, value: 1 }],
    },
    {
      name: 'process_cpu_seconds_total',
      help: 'CPU time, user and system.',
      type: 'counter',
      samples: [{ value: (user + system) / 1e6 }],
    },
    {
      name: 'process_resident_memory_bytes',
      help: 'Resident memory.',
      type: 'gauge',
      samples: [{ value: process.memoryUsage.rss() }],
    },
    {
      name: 'process_start_time_seconds',
      help: 'When the process started, in seconds since 1970.',
      type: 'gauge',
      samples: [{ value: Math.round(Date.now() / 1000 - process.uptime()) }],
    },
  ]
}
