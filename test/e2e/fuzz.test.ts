/** A slice of the fuzzing that test/bench/fuzz.ts does by the hundred thousand (OPS-11). */
import { expect, test } from 'bun:test'
import { friendlyScript, fuzz } from '../support/fuzz.ts'
import { residentBytes } from '../support/process-memory.ts'
import { useGateway } from '../support/scene.ts'

const { gateway, scene } = useGateway()

test('three thousand mutated requests: no 500, no request without an end, nothing left behind (OPS-11)', async () => {
  const { key } = await scene({ script: friendlyScript })
  const { url, pid, log } = gateway()
  const before = residentBytes(pid)
  const { statuses, faults } = await fuzz({ url, key, seed: 20_261_122, count: 3000, connections: 16 })
  expect(faults).toEqual([])
  const count = (status: number) => statuses.get(status) ?? 0
  // The generator reaches what it is meant to reach.
  for (const status of [200, 400, 401, 404, 405]) expect([status, count(status) > 20]).toEqual([status, true])
  expect(log()).not.toMatch(/"level":"error"|unhandled|uncaught/)
  expect(residentBytes(pid) - before).toBeLessThan(200 * 1024 * 1024)
  const metrics = await (await fetch(`${url}/metrics`)).text()
  expect(metrics).toContain('turnpike_requests_in_flight 0\n')
  expect(metrics).toContain('turnpike_request_body_bytes 0\n')
})
