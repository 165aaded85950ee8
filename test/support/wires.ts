/** The four protocols through the relay in memory (./relay.ts): which operation a dialect's calls are, and a gateway that serves it alone. */
import type { Account, Group } from '../../src/core/entities.ts'
import type { OperationId } from '../../src/protocols/operations.ts'
import { ANTHROPIC, CHAT, type Dialect, GEMINI, RESPONSES } from './dialects.ts'
import { makeAccount, makeGroup } from './make.ts'
import { priceRow } from './prices.ts'

export interface Wire {
  dialect: Dialect
  /** The shape of its errors (contract.md). */
  shape: 'openai' | 'anthropic' | 'gemini'
  stream: OperationId
  whole: OperationId
  model: string
}

export const WIRES: readonly Wire[] = [
  { dialect: RESPONSES, shape: 'openai', stream: 'responses', whole: 'responses', model: 'gpt-5-mini' },
  { dialect: CHAT, shape: 'openai', stream: 'chat_completions', whole: 'chat_completions', model: 'gpt-5-mini' },
  { dialect: ANTHROPIC, shape: 'anthropic', stream: 'messages', whole: 'messages', model: 'claude-sonnet-4-5' },
  {
    dialect: GEMINI,
    shape: 'gemini',
    stream: 'stream_generate_content',
    whole: 'generate_content',
    model: 'gemini-2.5-flash',
  },
]

/** One account and the default group of the wire's platform. */
export function standFor({ dialect }: Wire, over: { group?: Partial<Group>; account?: Partial<Account> } = {}) {
  const { platform } = dialect
  return {
    accounts: [makeAccount({ id: 'a', platform, ...over.account })],
    groups: [makeGroup({ platform, ...over.group })],
  }
}

/** 3 USD a million in, 0.3 from the cache, 15 out. */
export const PRICES = WIRES.map(({ model }) =>
  priceRow({
    model,
    rates: { input: 3e9, cacheRead: 3e8, cacheWrite5m: 3.75e9, cacheWrite1h: 6e9, output: 15e9 },
  }),
)
