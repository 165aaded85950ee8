/** A platform's OAuth token endpoint played by the test: rotates refresh tokens as vendors do, and remembers what it was asked. */
export interface TokenAsk {
  contentType: string
  fields: Record<string, string>
  userAgent: string
}

export interface TokenServer {
  url: string
  asks: TokenAsk[]
  /** How it answers from now on; undefined, or what gives undefined: as a good platform. */
  answer: ((ask: TokenAsk) => Response | Promise<Response | undefined>) | undefined
  /** Seconds until a token expires. */
  lifeSeconds: number
  stop(): Promise<void>
}

export function startTokenServer(): TokenServer {
  let made = 0
  const server = Bun.serve({
    port: 0,
    hostname: 'localhost',
    async fetch(request) {
      const contentType = request.headers.get('content-type') ?? ''
      const text = await request.text()
      const fields = contentType.includes('json') ? JSON.parse(text) : Object.fromEntries(new URLSearchParams(text))
      const ask = { contentType, fields, userAgent: request.headers.get('user-agent') ?? '' }
      tokens.asks.push(ask)
      return (await tokens.answer?.(ask)) ?? good()
    },
  })
  function good(): Response {
    const number = ++made
    return Response.json({
      access_token: `access-${number}`,
      refresh_token: `refresh-${number}`,
      expires_in: tokens.lifeSeconds,
      token_type: 'bearer',
    })
  }
  const tokens: TokenServer = {
    url: `http://localhost:${server.port}/oauth/token`,
    asks: [],
    answer: undefined,
    lifeSeconds: 3600,
    stop: () => server.stop(true),
  }
  return tokens
}

/** A JWT that nobody signed: what is read of it are its claims. */
export function unsignedJwt(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part(claims)}.x`
}
