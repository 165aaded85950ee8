import { expect, test } from 'bun:test'
import { createWorkerGroup, FirstWorkerFailed, type Worker } from '../../src/lib/worker-group.ts'

interface FakeWorker extends Worker {
  becomeReady(): void
  exit(code: number): void
  /** How often it was told to end. */
  endings: number
}

function createScene(count: number) {
  const workers: FakeWorker[] = []
  const events: string[] = []
  const pauses: { ms: number; over(): void }[] = []
  const group = createWorkerGroup({
    count,
    start() {
      const ready = Promise.withResolvers<void>()
      const exited = Promise.withResolvers<number>()
      const worker: FakeWorker = {
        pid: workers.length,
        ready: ready.promise,
        exited: exited.promise,
        endings: 0,
        end: () => void worker.endings++,
        becomeReady: ready.resolve,
        exit: exited.resolve,
      }
      workers.push(worker)
      return worker
    },
    pause(ms) {
      const { promise, resolve } = Promise.withResolvers<void>()
      pauses.push({ ms, over: resolve })
      return promise
    },
    onEvent: (event, { pid, code }) => events.push(`${event} ${pid} ${code}`),
  })
  return { workers, events, pauses, group }
}

/** Lets all that is settled be heard. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
}

async function createRunning(count: number) {
  const scene = createScene(count)
  const code = scene.group.run()
  scene.workers[0]?.becomeReady()
  await turns()
  for (const worker of scene.workers) worker.becomeReady()
  await turns()
  return { ...scene, code }
}

test('the others are started once the first is ready; what the first finds wrong ends all (OPS-4)', async () => {
  const { workers, group } = createScene(3)
  const code = group.run()
  await turns()
  expect(workers).toHaveLength(1)
  workers[0]?.becomeReady()
  await turns()
  expect(workers).toHaveLength(3)
  group.end()
  for (const worker of workers) worker.exit(0)
  expect(await code).toBe(0)

  const wrong = createScene(3)
  const failure = wrong.group.run().catch((error) => error)
  wrong.workers[0]?.exit(2)
  expect(await failure).toBeInstanceOf(FirstWorkerFailed)
  expect(((await failure) as FirstWorkerFailed).code).toBe(2)
  expect(wrong.workers).toHaveLength(1)
})

test('a worker that ends by itself is started again, each time after a longer pause, until one is ready (OPS-4)', async () => {
  const { workers, events, pauses } = await createRunning(2)
  workers[1]?.exit(137)
  await turns()
  expect(events).toEqual(['worker ended 1 137'])
  for (const ms of [1000, 2000, 4000]) {
    expect(pauses.at(-1)?.ms).toBe(ms)
    pauses.at(-1)?.over()
    await turns()
    workers.at(-1)?.exit(1)
    await turns()
  }
  pauses.at(-1)?.over()
  await turns()
  workers.at(-1)?.becomeReady()
  await turns()
  workers.at(-1)?.exit(1)
  await turns()
  expect(pauses.at(-1)?.ms).toBe(1000)
})

test('replacing: one at a time, the old one is told to end when the new one is ready, and not before (OPS-2, OPS-4)', async () => {
  const { workers, group, pauses } = await createRunning(2)
  const round = group.replaceAll()
  await turns()
  expect(workers).toHaveLength(3)
  expect(workers[0]?.endings).toBe(0)
  workers[2]?.becomeReady()
  await turns()
  expect(workers[0]?.endings).toBe(1)
  expect(workers).toHaveLength(4)
  workers[3]?.becomeReady()
  await round
  expect(workers.map(({ endings }) => endings)).toEqual([1, 1, 0, 0])
  workers[0]?.exit(0)
  workers[1]?.exit(0)
  await turns()
  expect(pauses).toEqual([])
})

test('replacing: where the new one does not become ready, the old one stays and is still looked after (OPS-4)', async () => {
  const { workers, group, events, pauses } = await createRunning(1)
  const round = group.replaceAll()
  await turns()
  workers[1]?.exit(1)
  await round
  expect(workers[0]?.endings).toBe(0)
  expect(events).toContain('worker not replaced 1 1')
  pauses.at(-1)?.over()
  await turns()
  expect(workers).toHaveLength(2)
  workers[0]?.exit(9)
  await turns()
  expect(events).toContain('worker ended 0 9')
})

test('ending: every worker is told, again when asked again; the exit code is the worst of theirs (OPS-2)', async () => {
  const { workers, group, code } = await createRunning(2)
  group.end()
  group.end()
  expect(workers.map(({ endings }) => endings)).toEqual([2, 2])
  workers[0]?.exit(0)
  workers[1]?.exit(1)
  expect(await code).toBe(1)
  expect(workers).toHaveLength(2)
})
