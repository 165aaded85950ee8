/**
 * Keeps a number of equal worker processes running: starts them, replaces one that ended, replaces all one after the other without a gap,
 * ends them together.
 *
 * The first is started alone: what it finds wrong it says once, and what it sets up (a database, a port) the others find. A replacement must
 * be ready before the one it replaces is told to end; if it ends before that, the old one stays.
 *
 * If it fails: a worker that ends by itself is logged and started again after a pause that doubles from one second to thirty, and is back at
 * one second once a worker has been ready. `run` rejects only when the first worker of all ends before it is ready.
 */
export interface Worker {
  readonly pid: number
  /** Resolves once it serves; never rejects. */
  ready: Promise<void>
  /** Its exit code; killed by a signal: 128 and more. */
  exited: Promise<number>
  /** To finish what it does and end; a second time: at once. */
  end(): void
}

export interface WorkerGroupOptions {
  count: number
  start(): Worker
  /** Resolves after so many milliseconds. */
  pause(ms: number): Promise<void>
  onEvent(event: 'worker ended' | 'worker not replaced', fields: { pid: number; code: number }): void
}

export interface WorkerGroup {
  /** Starts all; resolves when the group was ended and every worker has exited: 0 if all of them did with 0. */
  run(): Promise<number>
  /** New processes in the place of the old ones, one at a time. Does nothing while one such round runs. */
  replaceAll(): Promise<void>
  end(): void
}

const SHORTEST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 30_000

export class FirstWorkerFailed extends Error {
  override name = 'FirstWorkerFailed'
  constructor(readonly code: number) {
    super(`the first worker ended with ${code} before it was ready`)
  }
}

export function createWorkerGroup({ count, start, pause, onEvent }: WorkerGroupOptions): WorkerGroup {
  /** By place; null: being started again. */
  const places: (Worker | null)[] = new Array(count).fill(null)
  const running = new Set<Worker>()
  let ending = false
  let replacing = false
  let worstCode = 0
  let pauseMs = SHORTEST_PAUSE_MS
  const ended = Promise.withResolvers<void>()

  function startAt(place: number): Worker {
    const worker = start()
    running.add(worker)
    places[place] = worker
    void worker.ready.then(() => {
      pauseMs = SHORTEST_PAUSE_MS
    })
    void worker.exited.then((code) => exited(place, worker, code))
    return worker
  }

  function exited(place: number, worker: Worker, code: number): void {
    running.delete(worker)
    if (ending) {
      worstCode = Math.max(worstCode, code)
      if (running.size === 0) ended.resolve()
      return
    }
    // One that was replaced has nobody waiting for its place.
    if (places[place] !== worker) return
    places[place] = null
    onEvent('worker ended', { pid: worker.pid, code })
    void startAgain(place)
  }

  async function startAgain(place: number): Promise<void> {
    const waitMs = pauseMs
    pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)
    await pause(waitMs)
    if (!ending && places[place] === null) startAt(place)
  }

  async function replaceAt(place: number): Promise<void> {
    const old = places[place]
    if (!old) return
    const replacement = startAt(place)
    const code = await endedBeforeReady(replacement)
    if (ending) return
    if (code === null) old.end()
    else {
      if (running.has(old)) places[place] = old
      onEvent('worker not replaced', { pid: replacement.pid, code })
    }
  }

  return {
    async run() {
      const first = startAt(0)
      const code = await endedBeforeReady(first)
      if (code !== null && !ending) {
        ending = true
        throw new FirstWorkerFailed(code)
      }
      for (let place = 1; place < count && !ending; place++) startAt(place)
      if (ending && running.size === 0) ended.resolve()
      await ended.promise
      return worstCode
    },
    async replaceAll() {
      if (replacing || ending) return
      replacing = true
      for (let place = 0; place < count; place++) await replaceAt(place)
      replacing = false
    },
    end() {
      ending = true
      for (const worker of running) worker.end()
      if (running.size === 0) ended.resolve()
    },
  }
}

/** Null: it is ready. */
function endedBeforeReady(worker: Worker): Promise<number | null> {
  return Promise.race([worker.ready.then(() => null), worker.exited])
}
