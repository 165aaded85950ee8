/** Records that came into the database by the side door, from dead instances: statistics read again, metrics count them (USE-3, USE-8). */
import type { StatsLoader } from '../admin/statistics-loader.ts'
import type { JobDeps } from '../jobs/jobs.ts'
import type { Telemetry } from './open-telemetry.ts'

export function createFoundRecords(
  telemetry: Pick<Telemetry, 'counter'>,
  loader: Pick<StatsLoader, 'distrust'>,
): JobDeps['onRecordsFound'] {
  const found = { lost: 0, adopted: 0 }
  telemetry.counter(
    'turnpike_lost_requests_total',
    'Requests that this instance marked failed because theirs went away.',
    () => found.lost,
  )
  telemetry.counter(
    'turnpike_adopted_records_total',
    'Usage records that this instance read from the journals of dead ones.',
    () => found.adopted,
  )
  return (how, count) => {
    found[how] += count
    loader.distrust()
  }
}
