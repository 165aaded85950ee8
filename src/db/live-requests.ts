/**
 * Requests under way on several instances (USE-2, USE-3): each writes its own long-running ones with a sign of life, all read the others'.
 * Time is the database's own: clocks of instances are never compared.
 *
 * If it fails: rejects; part of the call may be stored, and the next turn writes all of it again.
 */
import type { LiveRequest } from '../core/live-request.ts'
import type { Sql } from './client.ts'
import { cleanText } from './page.ts'

/** Rows of one statement: their JSON takes a millisecond or two to write. */
const AT_ONCE = 500

/** Says that the instance is alive and what it works on; what it no longer works on goes. */
export async function writeLiveRequests(
  sql: Sql,
  { instanceId, silentMs, requests }: { instanceId: string; silentMs: number; requests: readonly LiveRequest[] },
): Promise<void> {
  const ids = requests.map(({ id }) => id).join(',')
  await sql`
    with own as (
      insert into live_instances as instance (id) values (${instanceId})
      on conflict (id) do update set seen_at = now(),
        steady_since = case when instance.seen_at < now() - make_interval(secs => ${silentMs / 1000})
          then now() else instance.steady_since end
    )
    delete from live_requests
    where instance_id = ${instanceId} and id <> all(string_to_array(${ids}::text, ',')::uuid[])`
  for (let from = 0; from < requests.length; from += AT_ONCE) {
    const json = JSON.stringify(requests.slice(from, from + AT_ONCE).map(toStored))
    await sql`
      insert into live_requests (id, instance_id, request)
      select (request->>'id')::uuid, ${instanceId}, request from json_array_elements(${json}::text::json) as request
      order by 1
      on conflict (id) do update set instance_id = excluded.instance_id, request = excluded.request`
  }
}

/** The instance ends and leaves nothing behind. */
export async function deleteLiveInstance(sql: Sql, instanceId: string): Promise<void> {
  await sql.begin(async (transaction) => {
    await transaction`delete from live_requests where instance_id = ${instanceId}`
    await transaction`delete from live_instances where id = ${instanceId}`
  })
}

/** The long-running requests of the other instances that are alive, newest first; each as old as its instance's last turn. */
export async function listOthersLiveRequests(
  sql: Sql,
  { instanceId, silentMs, limit }: { instanceId: string; silentMs: number; limit: number },
): Promise<LiveRequest[]> {
  const rows = await sql<{ request: Stored }[]>`
    select request from live_requests join live_instances on live_instances.id = instance_id
    where instance_id <> ${instanceId} and seen_at >= now() - make_interval(secs => ${silentMs / 1000})
    order by live_requests.id desc limit ${limit}`
  return rows.map(({ request }) => fromStored(request))
}

/** Requests whose instance has given no sign of life for so long. */
export async function countLostRequests(sql: Sql, silentMs: number): Promise<number> {
  const [row] = await sql<{ lost: number }[]>`
    select count(*)::int as lost from live_requests left join live_instances on live_instances.id = instance_id
    where coalesce(seen_at, '-infinity') < now() - make_interval(secs => ${silentMs / 1000})`
  return row?.lost ?? 0
}

export interface LostRequest {
  request: LiveRequest
  /** The last sign of life. */
  seenAtMs: number
}

/**
 * The same requests, oldest first. None, unless the asking instance itself has been seen without a gap for as long: when the database was
 * away, everybody was silent.
 */
export async function listLostRequests(
  sql: Sql,
  { instanceId, silentMs, limit }: { instanceId: string; silentMs: number; limit: number },
): Promise<LostRequest[]> {
  const rows = await sql<{ request: Stored; seenAtMs: number | null }[]>`
    select request, (extract(epoch from instance.seen_at) * 1000)::float8 as "seenAtMs"
    from live_requests left join live_instances as instance on instance.id = instance_id
    where coalesce(instance.seen_at, '-infinity') < now() - make_interval(secs => ${silentMs / 1000})
      and exists (select from live_instances as own where own.id = ${instanceId}
        and own.steady_since < now() - make_interval(secs => ${silentMs / 1000}))
    order by live_requests.id limit ${limit}`
  return rows.map(({ request, seenAtMs }) => ({
    request: fromStored(request),
    seenAtMs: seenAtMs ?? request.createdAtMs,
  }))
}

/** Not if their instance has come back meanwhile. Then the silent instances that have none left. */
export async function deleteLostRequests(sql: Sql, ids: readonly string[], silentMs: number): Promise<void> {
  await sql`
    delete from live_requests where id = any(string_to_array(${ids.join(',')}::text, ',')::uuid[])
      and not exists (select from live_instances where live_instances.id = instance_id
        and seen_at >= now() - make_interval(secs => ${silentMs / 1000}))`
  await sql`
    delete from live_instances where seen_at < now() - make_interval(secs => ${silentMs / 1000})
      and not exists (select from live_requests where instance_id = live_instances.id)`
}

/** JSON has no bigint, and Postgres no NUL. */
type Stored = Omit<LiveRequest, 'costNano'> & { costNano: string }

function toStored(request: LiveRequest): Stored {
  const { endpoint, model, userAgent } = request
  return {
    ...request,
    endpoint: cleanText(endpoint),
    model: cleanText(model),
    userAgent: userAgent === null ? null : cleanText(userAgent),
    costNano: String(request.costNano),
  }
}

function fromStored(stored: Stored): LiveRequest {
  return { ...stored, costNano: BigInt(stored.costNano) }
}
