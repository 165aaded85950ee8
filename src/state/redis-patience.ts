/**
 * How long a command to Redis may take, on a clock that stands still while this process does.
 *
 * ioredis' own limit is a timer for each command: after a stall of the event loop (a burst of requests on a busy machine) the timers run before
 * the answers are read that have long been there. Instances so took a Redis in perfect health for absent, counted on their own, and let
 * more through than the limit (seen: 19 at a time instead of 10, with 500 requests at once and a machine load of 12). Here a tick that comes
 * late counts as two, however late it is, so that the answers are read first.
 *
 * One timer for all commands, and none while nothing is under way.
 */

/** What is needed of an ioredis command and client; `Redis` and `Cluster` both have it. */
export interface PendingCommand {
  readonly isSettled: boolean
  reject(error: Error): void
}
interface Sender<Command extends PendingCommand> {
  sendCommand(command: Command, ...rest: never[]): unknown
}

export interface PatienceOptions {
  limitMs: number
  /** Tests only. */
  nowMs?(): number
  every?(ms: number, tick: () => void): { stop(): void }
}

const TICK_MS = 50

/** Commands of this client reject when they take longer. The client's own limit must be off. */
export function limitCommandTime<Command extends PendingCommand>(client: Sender<Command>, options: PatienceOptions) {
  const { limitMs, nowMs = () => performance.now(), every = everyInterval } = options
  const send = client.sendCommand.bind(client)
  let waiting: { command: Command; sentAtMs: number }[] = []
  let aliveMs = 0
  let lastTickMs = 0
  let timer: { stop(): void } | null = null

  function tick(): void {
    const now = nowMs()
    aliveMs += Math.min(now - lastTickMs, 2 * TICK_MS)
    lastTickMs = now
    const still: typeof waiting = []
    for (const entry of waiting) {
      if (entry.command.isSettled) continue
      if (aliveMs - entry.sentAtMs < limitMs) still.push(entry)
      else entry.command.reject(new Error('Command timed out'))
    }
    waiting = still
    if (waiting.length > 0) return
    timer?.stop()
    timer = null
  }

  client.sendCommand = (command, ...rest) => {
    if (timer === null) {
      lastTickMs = nowMs()
      timer = every(TICK_MS, tick)
    }
    waiting.push({ command, sentAtMs: aliveMs })
    return send(command, ...rest)
  }
}

function everyInterval(ms: number, tick: () => void) {
  const timer = setInterval(tick, ms)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}
