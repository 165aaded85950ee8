/**
 * The log: one JSON line an event on stdout, or a short coloured line on a terminal (OPS-8).
 *
 * Why not a library: the well-kept ones bring worker threads and dynamic requires that don't survive a single-file binary;
 * what is needed here is sixty lines. Every field passes `redact`: no key, token, body or e-mail reaches a line.
 * If it fails: a line that can't be written is lost; logging never throws into the caller.
 */
import { type Clock, systemClock } from './clock.ts'
import { redact, redactText } from './redact.ts'

const WEIGHTS = { debug: 10, info: 20, warn: 30, error: 40, off: 100 } as const
export type LogLevel = keyof typeof WEIGHTS
type EventLevel = Exclude<LogLevel, 'off'>

/** `requestId` is the field by which everything about one request is found. */
export type LogFields = { requestId?: string; error?: unknown } & Record<string, unknown>

export interface Log {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
  /** A log that adds these fields to each event. */
  with(fields: LogFields): Log
}

export interface LogOptions {
  level?: LogLevel
  /** Lines for people, in colour, instead of JSON. Default: is stdout a terminal? */
  pretty?: boolean
  write?: (line: string) => void
  clock?: Clock
}

export function createLog(options: LogOptions = {}): Log {
  const {
    level = 'info',
    pretty = process.stdout.isTTY === true,
    write = stdoutWriter(),
    clock = systemClock,
  } = options
  const render = pretty ? renderPretty : renderJson

  function logWith(base: LogFields): Log {
    function at(eventLevel: EventLevel) {
      return (event: string, fields?: LogFields): void => {
        if (WEIGHTS[eventLevel] < WEIGHTS[level]) return
        try {
          const clean = redact({ ...base, ...fields }) as Record<string, unknown>
          write(`${render(new Date(clock.nowMs()).toISOString(), eventLevel, event, clean)}\n`)
        } catch {
          // Nothing to tell it to: the log is what failed.
        }
      }
    }
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      with: (fields) => logWith({ ...base, ...fields }),
    }
  }
  return logWith({})
}

type Render = (time: string, level: EventLevel, event: string, fields: Record<string, unknown>) => string

const renderJson: Render = (time, level, event, fields) =>
  JSON.stringify({ time, level, event: redactText(event), ...renamed(fields) })

const COLOURS: Record<EventLevel, string> = { debug: '\x1b[90m', info: '\x1b[36m', warn: '\x1b[33m', error: '\x1b[31m' }

const renderPretty: Render = (time, level, event, fields) => {
  const pairs = Object.entries(renamed(fields)).flatMap(([name, value]) =>
    value === undefined
      ? []
      : ` \x1b[90m${name}=\x1b[0m${printable(typeof value === 'string' ? value : JSON.stringify(value))}`,
  )
  const clock = time.slice(11, 23)
  return `\x1b[90m${clock}\x1b[0m ${COLOURS[level]}${level.padEnd(5)}\x1b[0m ${printable(redactText(event))}${pairs.join('')}`
}

/** Fields of the envelope can't be overwritten; names on the wire are snake_case. */
function renamed(fields: Record<string, unknown>): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) {
    const wire = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    out[wire === 'time' || wire === 'level' || wire === 'event' ? `field_${wire}` : wire] = value
  }
  return out
}

/** A client's text must not move the operator's cursor or forge a line. JSON escapes these by itself. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ')
}

/** A reader that went away (EPIPE) or a full disk must cost lines, not the process: without a listener Bun ends it. */
function stdoutWriter(): (line: string) => void {
  if (process.stdout.listenerCount('error') === 0) process.stdout.on('error', () => {})
  return (line) => void process.stdout.write(line)
}

/** For tests and for tools that must stay quiet. */
export const silentLog: Log = createLog({ level: 'off', write: () => {} })
