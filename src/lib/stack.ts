/**
 * Starts things in order and stops them in the reverse order: database before server, server closed before database.
 *
 * Invariants: what was started is stopped exactly once, also when a later start fails; one stop that fails or hangs doesn't keep
 * the others from theirs; `stop` may be called at any time and any number of times, and always resolves to the faults it met.
 * If it fails: a failing start stops what already runs, then throws; a failing stop is returned, not thrown.
 */
import { within } from './within.ts'

export interface StopFault {
  name: string
  error: unknown
}

export interface Stack {
  /** Starts one thing and remembers how to stop it. */
  use<T>(name: string, start: () => T | Promise<T>, stop?: (started: T) => void | Promise<void>): Promise<T>
  stop(): Promise<StopFault[]>
}

export interface StackOptions {
  /** Longest one stop may take before the next one is asked. 0: no limit. */
  stopTimeoutMs?: number
  onStop?: (name: string, fault: StopFault | null) => void
}

export class StackStopped extends Error {
  constructor(name: string) {
    super(`${name} was not started: shutting down`)
    this.name = 'StackStopped'
  }
}

export function createStack({ stopTimeoutMs = 0, onStop = () => {} }: StackOptions = {}): Stack {
  const running: { name: string; stop: () => void | Promise<void> }[] = []
  let starting: Promise<unknown> = Promise.resolve()
  let stopping: Promise<StopFault[]> | null = null

  async function stopAll(): Promise<StopFault[]> {
    await starting
    const faults: StopFault[] = []
    for (let part = running.pop(); part; part = running.pop()) {
      const fault = await stopOne(part)
      if (fault) faults.push(fault)
      onStop(part.name, fault)
    }
    return faults
  }

  async function stopOne({ name, stop }: (typeof running)[number]): Promise<StopFault | null> {
    try {
      const stopping = Promise.resolve(stop())
      await (stopTimeoutMs === 0 ? stopping : within(stopTimeoutMs, stopping, 'stopping'))
      return null
    } catch (error) {
      return { name, error }
    }
  }

  function stop(): Promise<StopFault[]> {
    stopping ??= stopAll()
    return stopping
  }

  return {
    async use(name, start, stopStarted = () => {}) {
      if (stopping) throw new StackStopped(name)
      const started = (async () => start())()
      const noted = started.then((value) => running.push({ name, stop: () => stopStarted(value) })).catch(() => {})
      starting = Promise.all([starting, noted])
      try {
        return await started
      } catch (error) {
        await stop()
        throw error
      } finally {
        await noted
      }
    },
    stop,
  }
}
