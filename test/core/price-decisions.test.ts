/** Where two price sources disagree, it is written down what was decided; what nobody has decided is open. */
import { expect, test } from 'bun:test'
import { type Decision, type Disagreement, decide } from '../../.ci/price-decisions.ts'

const found = (over: Partial<Disagreement>): Disagreement => ({
  vendor: 'openai',
  model: 'gpt-5.6',
  field: 'input',
  ours: 1,
  theirs: 2,
  ...over,
})

test('a decision is made for what was looked at, and for nothing else (BIL-2)', () => {
  const verdicts: [Partial<Disagreement>, Decision['verdict']][] = [
    [{ field: 'tier', ours: 272_000, theirs: 271_999 }, 'same'],
    [{ field: 'tier', ours: 272_000, theirs: 200_000 }, 'open'],
    [{ vendor: 'xai', model: 'xai/grok-4.5', field: 'tier', ours: 200_000, theirs: 199_999 }, 'theirs'],
    [{ vendor: 'bedrock', model: 'anthropic.claude-opus-5', ours: 5, theirs: 5.5 }, 'ours'],
    [{ vendor: 'bedrock', model: 'anthropic.claude-opus-5', ours: 5, theirs: 7 }, 'open'],
    [{ vendor: 'anthropic', model: 'claude-opus-5', ours: 5, theirs: 5.5 }, 'open'],
    [{ vendor: 'gemini', model: 'gemini/gemini-3.6-flash', ours: 1.5, theirs: 0.75 }, 'open'],
  ]
  for (const [over, verdict] of verdicts) {
    expect({ over, verdict: decide(found(over)).verdict }).toEqual({ over, verdict })
  }
})
