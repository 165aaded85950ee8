/**
 * kill -9 under load, as many rounds as one likes: bun test/bench/crash.ts [rounds] [gateway|database|both]
 *
 * Ends with the books: answers that clients received to their end, records, charges. Throws at the first thing that is not as it must be
 * (test/support/crash-scene.ts says what that is).
 */
import { type CrashKind, runCrashRounds } from '../support/crash-rounds.ts'
import { embeddedPlace } from '../support/embedded-place.ts'
import { tearDown } from '../support/teardown.ts'

const rounds = Number(process.argv[2] ?? 5)
const kinds = (process.argv[3] ? [process.argv[3]] : ['gateway', 'database', 'both']) as CrashKind[]

const place = await embeddedPlace()
try {
  for (const kind of kinds) {
    const startedAt = performance.now()
    const { books, load } = await runCrashRounds(place, {
      kind,
      rounds,
      atATime: 24,
      onRound: (round, { complete, broken, sent }) => {
        if (round % 10 === 0)
          console.log(`${kind} ${round}: ${sent} sent, ${complete.size} whole answers, ${broken} broken`)
      },
    })
    const seconds = Math.round((performance.now() - startedAt) / 1000)
    console.log(
      `${kind}: ${rounds} rounds in ${seconds} s: ${load.sent} requests sent, ${load.complete.size} answers came whole, ${load.broken} broke; ` +
        `${books.records} records, ${books.charges} charges; every whole answer has one of each, ledger = balances = sums`,
    )
  }
} finally {
  await place.clear()
  await tearDown()
}
