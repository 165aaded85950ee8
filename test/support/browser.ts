/** A headless Chromium over its debugging socket: as much of it as a test of one page needs. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'

export interface Browser {
  goto(url: string): Promise<void>
  evaluate(expression: string): Promise<unknown>
  /** Evaluates until the value is truthy. */
  waitFor(expression: string): Promise<unknown>
  /** URLs asked for so far. */
  requests(): string[]
  /** Errors of scripts and policy violations so far. */
  complaints(): string[]
  close(): Promise<void>
}

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-default-apps',
  '--disable-extensions',
  '--disable-dev-shm-usage',
  '--mute-audio',
  '--remote-debugging-port=0',
]

export async function openBrowser(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'turnpike-browser-'))
  const process = Bun.spawn([CHROMIUM, ...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], {
    stdout: 'ignore',
    stderr: 'pipe',
  })
  const port = await debuggingPort(process.stderr)
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
    type: string
    webSocketDebuggerUrl: string
  }[]
  const page = await connect(targets.find(({ type }) => type === 'page')!.webSocketDebuggerUrl)
  for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await page.send(`${domain}.enable`)

  async function evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await page.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })
    if (exceptionDetails)
      throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`)
    return result.value
  }

  return {
    goto: async (url) => void (await page.send('Page.navigate', { url })),
    evaluate,
    async waitFor(expression) {
      for (let tries = 0; tries < 300; tries++) {
        const value = await evaluate(expression).catch(() => null)
        if (value) return value
        await Bun.sleep(50)
      }
      throw new Error(
        `never became true: ${expression}; page says ${await evaluate('document.body.innerText.slice(0, 500)')}`,
      )
    },
    requests: () => page.events('Network.requestWillBeSent').map(({ request }) => request.url),
    complaints: () => [
      ...page.events('Runtime.exceptionThrown').map(({ exceptionDetails }) => exceptionDetails.text),
      ...page
        .events('Log.entryAdded')
        .flatMap(({ entry }) => (entry.level === 'error' ? [`${entry.text} ${entry.url ?? ''}`] : [])),
    ],
    async close() {
      process.kill()
      await process.exited
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Chromium says where it listens on stderr. */
async function debuggingPort(stderr: ReadableStream<Uint8Array>): Promise<string> {
  let said = ''
  const decoder = new TextDecoder()
  const reader = stderr.getReader()
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    said += decoder.decode(read.value, { stream: true })
    const port = /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1]
    if (port) {
      // Keep reading, or the pipe fills up and the browser stops.
      void (async () => {
        while (!(await reader.read()).done);
      })().catch(() => {})
      return port
    }
  }
  throw new Error(`chromium did not start: ${said.slice(-500)}`)
}

// What the debugging protocol answers has no types here; the tests name the fields that they read.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Message = any

async function connect(url: string) {
  const socket = new WebSocket(url)
  const waiting = new Map<number, (message: Message) => void>()
  const seen: Message[] = []
  let lastId = 0
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(String(data))
    if (message.id) waiting.get(message.id)?.(message)
    else seen.push(message)
  }
  await new Promise((resolve, reject) => {
    socket.onopen = resolve
    socket.onerror = reject
  })
  return {
    send(method: string, params: object = {}): Promise<Message> {
      const id = ++lastId
      const { promise, resolve, reject } = Promise.withResolvers<Message>()
      waiting.set(id, (message) => {
        waiting.delete(id)
        message.error ? reject(new Error(message.error.message)) : resolve(message.result)
      })
      socket.send(JSON.stringify({ id, method, params }))
      return promise
    },
    events: (method: string): Message[] =>
      seen.filter((message) => message.method === method).map(({ params }) => params),
  }
}
