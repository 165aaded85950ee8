/** One receipt in, each place told once, whatever one of them does (REL, BIL-13). */
import { expect, test } from 'bun:test'
import { createAccept } from '../../src/app/accept-receipt.ts'
import type { Receipt } from '../../src/core/receipt.ts'
import { createLog } from '../../src/lib/log.ts'
import type { Exchange } from '../../src/relay/exchange.ts'
import { makeReceipt } from '../support/receipts.ts'

const fault = () => {
  throw new Error('a bug')
}

function opened(add: (receipt: Receipt) => Promise<void> | null, listeners: ((receipt: Receipt) => void)[]) {
  const lines: string[] = []
  const log = createLog({ write: (line) => lines.push(line), pretty: false })
  const exchange = {} as Exchange
  const live = new Set([exchange])
  return { lines, exchange, live, accept: createAccept({ add, live, listeners, log }) }
}

test('a fault in one place keeps a receipt from no other, and the request leaves the live ones (BIL-13, OPS-2)', () => {
  const told: string[] = []
  const receipt = makeReceipt()
  const { accept, exchange, live, lines } = opened(
    () => null,
    [fault, ({ id }) => void told.push(id), fault, ({ id }) => void told.push(id)],
  )
  expect(accept(receipt, exchange)).toBeNull()
  expect(told).toEqual([receipt.id, receipt.id])
  expect(live.size).toBe(0)
  expect(lines).toHaveLength(2)
})

test('a journal that fails in an unforeseen way leaves no request live for ever (OPS-2)', () => {
  const told: string[] = []
  const { accept, exchange, live } = opened(fault, [({ id }) => void told.push(id)])
  expect(accept(makeReceipt(), exchange)).toBeNull()
  expect([told.length, live.size]).toEqual([1, 0])
})

test('a request is live until its record is on the disk, where that is waited for (OPS-1, OPS-2)', async () => {
  const synced = Promise.withResolvers<void>()
  const { accept, exchange, live } = opened(() => synced.promise, [])
  const recorded = accept(makeReceipt(), exchange)
  expect([recorded === synced.promise, live.size]).toEqual([true, 1])
  synced.resolve()
  await recorded
  expect(live.size).toBe(0)
})
