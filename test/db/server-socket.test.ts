import { expect, test } from 'bun:test'
import net from 'node:net'
import { isDatabaseAway } from '../../src/db/away.ts'
import { connect } from '../../src/db/client.ts'

test('a proxy that accepts and closes, because its server is dead, is a database that is away: told at once, and not asked without end (OPS-5)', async () => {
  let accepted = 0
  const proxy = net.createServer((socket) => {
    accepted++
    socket.on('error', () => undefined)
    // Reads what comes, so that the close is a plain one and no reset.
    socket.once('data', () => socket.end())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const { port } = proxy.address() as net.AddressInfo
  const sql = connect(`postgres://nobody@127.0.0.1:${port}/none`, { max: 1, statementTimeoutMs: 1000 })
  for (let query = 1; query <= 3; query++) {
    const error = await sql`select 1`.catch((reason: unknown) => reason)
    expect(isDatabaseAway(error)).toBe(true)
    expect(accepted).toBe(query)
  }
  await sql.end({ timeout: 1 })
  proxy.close()
})
