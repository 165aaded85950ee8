/**
 * The admin API's documentation: `/swagger/json` (OpenAPI) and `/swagger`, the UI served by this binary (OPS-12).
 *
 * The plugin makes the specification out of routes; its own page would load scripts from a CDN, so it lives in an app of its own
 * that no request ever reaches, made when somebody first asks: describing 38 calls would cost every start 10 ms.
 * UI files are embedded; `validatorUrl: null` and the strict policy see to it that a browser asks no other host for anything.
 */
import { Elysia } from 'elysia'
import stylePath from 'swagger-ui-dist/swagger-ui.css' with { type: 'file' }
import bundlePath from 'swagger-ui-dist/swagger-ui-bundle.js' with { type: 'file' }
import type { Call } from './admin/call.ts'
import { jsonAnswer, textAnswer } from './answer.ts'
import { describeCall } from './describe-call.ts'

/** 'unsafe-inline' for styles only: the UI sets style attributes. Images: its icons are data URLs. */
const DOCS_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>turnpike admin API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/swagger/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/swagger/swagger-ui-bundle.js"></script>
<script src="/swagger/start.js"></script>
</body>
</html>
`

const START = `window.ui = SwaggerUIBundle({
  url: '/swagger/json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
  validatorUrl: null,
})
`

const ABOUT = `Everything an operator does: users, groups, upstream accounts, API keys, proxies, usage.

Authorize with an admin token. Lists take \`limit\` (default 50, at most 1000) and \`cursor\`, and answer
\`{"data": [...], "next_cursor": "..." | null}\`. Money is USD with at most 9 decimals, times are RFC 3339 in UTC.
Every answer carries \`x-turnpike-request-id\`; unknown fields are refused by name.`

export function docsRoutes(calls: readonly Call[], version: string) {
  const specification = once(() => buildSpecification(calls, version))
  const hidden = { detail: { hide: true } }
  const headers = { 'content-security-policy': DOCS_POLICY, 'referrer-policy': 'no-referrer' }
  return new Elysia({ name: 'docs' })
    .get('/swagger', () => textAnswer(PAGE, 'text/html; charset=utf-8', { headers }), hidden)
    .get('/swagger/json', async () => jsonAnswer(await specification()), hidden)
    .get('/swagger/start.js', () => textAnswer(START, 'text/javascript; charset=utf-8'), hidden)
    .get('/swagger/swagger-ui.css', () => textAnswer(Bun.file(stylePath), 'text/css; charset=utf-8'), hidden)
    .get(
      '/swagger/swagger-ui-bundle.js',
      () => textAnswer(Bun.file(bundlePath), 'text/javascript; charset=utf-8'),
      hidden,
    )
}

/** The plugin says 3.0.3, but what TypeBox writes (`type: "null"`, `const`) is JSON Schema, which OpenAPI takes from 3.1 on. */
async function buildSpecification(calls: readonly Call[], version: string): Promise<object> {
  const { swagger } = await import('@elysiajs/swagger')
  const app = new Elysia().use(
    swagger({
      path: '/swagger',
      documentation: {
        info: { title: 'turnpike admin API', version, description: ABOUT },
        components: { securitySchemes: { adminToken: { type: 'http', scheme: 'bearer' } } },
      },
    }),
  )
  for (const call of calls) app.route(call.method, call.path, () => null, { detail: describeCall(call) })
  const answer = await app.handle(new Request('http://localhost/swagger/json'))
  const specification = (await answer.json()) as { components: { schemas: Record<string, unknown> } }
  const schemas: Record<string, unknown> = {}
  const shared = share(specification, schemas) as typeof specification
  return { ...shared, openapi: '3.1.0', components: { ...shared.components, schemas } }
}

/** Schemas with a title are told once, under `components`, and referred to everywhere else. */
function share(value: unknown, schemas: Record<string, unknown>): unknown {
  if (Array.isArray(value)) return value.map((item) => share(item, schemas))
  if (typeof value !== 'object' || value === null) return value
  const words = wordsOf(value)
  if (words) return { ...value, anyOf: undefined, type: 'string', enum: words }
  const shared = Object.fromEntries(Object.entries(value).map(([name, item]) => [name, share(item, schemas)]))
  if (typeof shared.title !== 'string' || shared.type !== 'object') return shared
  schemas[shared.title] ??= shared
  return { $ref: `#/components/schemas/${shared.title}` }
}

/** A union of words, as TypeBox writes it, is an enum to the UI: it then shows a choice instead of a text box. */
function wordsOf({ anyOf }: { anyOf?: unknown }): unknown[] | null {
  if (!Array.isArray(anyOf) || !anyOf.every((member) => typeof member?.const === 'string')) return null
  return anyOf.map((member) => member.const)
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null
  return () => {
    made ??= make()
    return made
  }
}
