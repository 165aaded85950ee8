/** Placeholder until the command table is merged: just enough of `serve` to try out the embedded database and the build. */
import { randomBytes } from 'node:crypto'
import { startEmbedded } from '../db/embedded.ts'

export async function runCli(argv: string[]): Promise<number> {
  if (argv[0] === 'version') {
    console.log('0.1.0')
    return 0
  }
  const say = (event: string, fields?: object) => console.log(JSON.stringify({ event, ...fields }))
  try {
    const database = await startEmbedded({ dataDir: process.env.DATA_DIR ?? './data', log: { info: say, warn: say } })
    console.log(`admin token: ${randomBytes(16).toString('hex')}`)
    const server = Bun.serve({
      port: Number(process.env.PORT ?? 8080),
      routes: { '/healthz': new Response('ok'), '/readyz': new Response('ok') },
    })
    say('listening', { port: server.port })
    await new Promise((resolve) => ['SIGTERM', 'SIGINT'].map((signal) => process.once(signal, resolve)))
    await server.stop()
    await database.stop()
    return 0
  } catch (cause) {
    console.error((cause as Error).message)
    return 1
  }
}
