/** The least that Bun can do between a client and an upstream: `bun pass-through.ts UPSTREAM` prints its port. The bench's stand-in for nginx. */
const [upstream = ''] = process.argv.slice(2)

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  idleTimeout: 0,
  async fetch(request) {
    const { pathname } = new URL(request.url)
    const answer = await fetch(upstream + pathname, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'accept-encoding': 'identity' },
      body: await request.bytes(),
    })
    return new Response(answer.body, { headers: { 'content-type': answer.headers.get('content-type') ?? '' } })
  },
})
console.log(server.port)
