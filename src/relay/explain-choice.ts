/** Why a choice came out as it did (ACC-17): how many accounts there were, why others were passed over, what the session's binding meant. */
import type { AccountPool } from '../core/account-pool.ts'
import type { ChoiceExplained } from '../core/receipt.ts'
import type { Health } from '../state/health.ts'
import type { AccountWish } from './account-wish.ts'
import type { Binding, Exchange } from './exchange.ts'

export interface ExplainDeps {
  directory: { pool: AccountPool }
  health: Pick<Health, 'limitedAccounts'>
}

/** Limits of single model families are counted account by account: there are few (ACC-6). */
function explainPool({ directory, health }: ExplainDeps, wish: AccountWish): ChoiceExplained {
  const { pool } = directory
  const explained = pool.explain(wish)
  let limited = 0
  for (const accountId of health.limitedAccounts()) {
    const entry = pool.get(accountId)
    if (entry && wish.blockedFor(entry) && pool.usable(entry, wish.ignoringLimits()) !== null) limited++
  }
  if (limited > 0) explained.passedOver.model_limited = limited
  return explained
}

/** `chosenId` null: nobody. With a fallback group (ACC-12) the accounts of both are told: nobody in the first could serve. */
export function explainChoice(
  deps: ExplainDeps,
  exchange: Exchange,
  wish: AccountWish,
  chosenId: string | null,
): ChoiceExplained {
  const { binding, group } = exchange
  const here = explainPool(deps, wish)
  const isFallback = group !== null && group.id !== wish.poolId
  const explained = isFallback ? added(explainPool(deps, wish.in(group.id)), here) : here
  if (binding !== null) explained.sticky = stickyWord(binding, chosenId)
  return explained
}

function stickyWord({ accountId }: Binding, chosenId: string | null): ChoiceExplained['sticky'] {
  if (accountId === null) return 'miss'
  return accountId === chosenId ? 'hit' : 'moved'
}

function added(a: ChoiceExplained, b: ChoiceExplained): ChoiceExplained {
  const passedOver = { ...a.passedOver }
  for (const [cause, count] of Object.entries(b.passedOver)) {
    // What this request has tried is counted once, wherever it was.
    passedOver[cause] = cause === 'excluded' ? count : (passedOver[cause] ?? 0) + count
  }
  return { ...a, candidates: a.candidates + b.candidates, passedOver }
}
