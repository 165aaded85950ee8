/** `/` until there is a dashboard: a short page that says what this is and where to go on. Static: no script, no other host. */
export const HOME_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>turnpike</title>
<style>
body { font: 16px/1.6 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; color: #222; background: #fff }
code { background: #eee; padding: .1em .3em; border-radius: 3px }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 } code { background: #333 } a { color: #8ab4f8 } }
</style>
</head>
<body>
<h1>turnpike</h1>
<p>A gateway between AI clients and AI providers. It is running.</p>
<p>Clients: set the base URL to this address and use an API key that your operator gave you.</p>
<ul>
<li>Claude Code: <code>ANTHROPIC_BASE_URL</code> = this address</li>
<li>OpenAI SDKs and Codex: <code>OPENAI_BASE_URL</code> = this address + <code>/v1</code></li>
<li>Gemini CLI: <code>GOOGLE_GEMINI_BASE_URL</code> = this address</li>
</ul>
<p>Operators: <a href="/swagger">the admin API</a>, <a href="/readyz">readiness</a>.</p>
</body>
</html>
`

export const HOME_PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
