/** Why a choice came out as it did (ACC-17): how many accounts there were, why others were passed over, what the session's binding meant. */
import type { AccountPool, ChooseInput } from '../core/account-pool.ts'
import type { ChoiceExplained } from '../core/receipt.ts'
import type { Exchange } from './exchange.ts'

/** `chosenId` null: nobody. With a fallback group (ACC-12) the accounts of both are told: nobody in the first could serve. */
export function explainChoice(
  pool: Pick<AccountPool, 'explain'>,
  exchange: Exchange,
  input: ChooseInput,
  chosenId: string | null,
): ChoiceExplained {
  const { binding, group } = exchange
  const here = pool.explain(input)
  const isFallback = group !== null && group.id !== input.poolId
  const { candidates, passedOver } = isFallback ? added(pool.explain({ ...input, poolId: group.id }), here) : here
  if (binding === null) return { candidates, passedOver, sticky: 'none' }
  const { accountId } = binding
  return { candidates, passedOver, sticky: accountId === null ? 'miss' : accountId === chosenId ? 'hit' : 'moved' }
}

function added(a: ChoiceExplained, b: ChoiceExplained): ChoiceExplained {
  const passedOver = { ...a.passedOver }
  for (const [cause, count] of Object.entries(b.passedOver)) {
    // What this request has tried is counted once, wherever it was.
    passedOver[cause] = cause === 'excluded' ? count : (passedOver[cause] ?? 0) + count
  }
  return { ...a, candidates: a.candidates + b.candidates, passedOver }
}
