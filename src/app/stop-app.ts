/**
 * How the gateway ends (OPS-2): the door closes, running streams may finish, what is left of them ends as if its client had left, then the
 * stack stops what was opened, in the reverse order; records are written on the way.
 *
 * Invariants: it ends once, however often it is asked; asking again with `stopNow` only takes the waiting away.
 */
import type { Ground } from './ground.ts'
import type { OpenedHttp } from './open-http.ts'
import type { RelayControl } from './relay-control.ts'

export interface AppStop {
  /** Stops accepting, lets running streams finish up to the grace period, writes everything, ends. */
  stop(): Promise<void>
  /** The same without waiting for streams. */
  stopNow(): Promise<void>
}

/** For what was just told to end. */
const ABORTED_WITHIN_MS = 2000
const ASKED_EVERY_MS = 20

export function createAppStop({ config, log, stack }: Ground, control: RelayControl, http: OpenedHttp): AppStop {
  const hurry = Promise.withResolvers<void>()
  let stopping: Promise<void> | null = null

  async function finish(): Promise<void> {
    log.info('stopping', { running: control.liveCount() })
    control.close()
    http.closeDoor()
    await Promise.race([idle(control), hurry.promise, Bun.sleep(config.shutdownGraceSeconds * 1000)])
    control.abortAll()
    await Promise.race([idle(control), Bun.sleep(ABORTED_WITHIN_MS)])
    await http.stop(true)
    for (const { name, error } of await stack.stop()) log.error('did not stop cleanly', { part: name, error })
    log.info('stopped')
  }

  function stop(): Promise<void> {
    stopping ??= finish()
    return stopping
  }
  return {
    stop,
    stopNow() {
      hurry.resolve()
      return stop()
    },
  }
}

async function idle({ liveCount }: RelayControl): Promise<void> {
  while (liveCount() > 0) await Bun.sleep(ASKED_EVERY_MS)
}
