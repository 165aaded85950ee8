/**
 * What was decided where the two price sources disagree (`.ci/compare-prices.ts`): data, first match wins. A disagreement that nothing here
 * speaks of is open: a person has to look at the vendor's page, and either correct our row (src/core/price-corrections.ts) or say why not.
 */
export interface Disagreement {
  vendor: string
  model: string
  /** "input", "output" …; of a context tier: "tier", "input above 200000". */
  field: string
  /** USD per million; of "tier" the tokens above which it begins. Null: never. */
  ours: number | null
  theirs: number | null
}

export interface Decision {
  /** `same`: no disagreement in fact. `ours`: our row stands. `theirs`: ours is to be corrected. `open`: nobody knows yet. */
  verdict: 'same' | 'ours' | 'theirs' | 'open'
  why: string
}

interface Rule extends Decision {
  when(found: Disagreement): boolean
}

const isTier = ({ field }: Disagreement) => field === 'tier'
const is = (vendor: string, models: RegExp) => (found: Disagreement) =>
  found.vendor === vendor && models.test(found.model)

const RULES: readonly Rule[] = [
  {
    when: (found) => isTier(found) && found.vendor !== 'xai' && found.ours !== null && found.ours - 1 === found.theirs,
    verdict: 'same',
    why: 'the same tier; whether exactly its first token belongs to it is read differently ("> 272K" at the vendor: it does not)',
  },
  {
    when: (found) => isTier(found) && found.vendor === 'xai' && found.ours === 200_000,
    verdict: 'theirs',
    why: 'xAI counts the 200,000th token in; one token in two hundred thousand, to be corrected with the next table',
  },
  {
    when: (found) => isTier(found) && /sonnet-4(?!-6)|claude-4-sonnet|claude-3-5-sonnet/.test(found.model),
    verdict: 'ours',
    why: 'a premium above 200,000 tokens, where the vendor takes that much at all; the second source leaves it out',
  },
  {
    when: (found) => found.vendor === 'xai' && isTier(found) && found.theirs === null,
    verdict: 'ours',
    why: 'doubled above 128,000 tokens; the second source has no tiers for these',
  },
  {
    when: (found) => /^(anthropic\.|claude-)/.test(found.model) && found.vendor === 'bedrock' && isTenth(found),
    verdict: 'ours',
    why: 'the price of the global profile; regional ones (us., eu. …) cost a tenth more and have rows of their own, in which both agree',
  },
  {
    when: is('bedrock', /^(apac|eu)\.|^us\.meta/),
    verdict: 'ours',
    why: 'a price of its own for the region; the second source has one for all',
  },
  {
    when: is('bedrock', /^us-gov\./),
    verdict: 'ours',
    why: 'the government regions have prices of their own; the second source has those of the others',
  },
  {
    when: (found) => found.vendor === 'azure' && (isTenth(found) || near(found)),
    verdict: 'ours',
    why: 'regional or data-zone deployment: a tenth more than the global price that the second source has for all',
  },
  {
    when: is('deepseek', /./),
    verdict: 'ours',
    why: 'the second source answers for an hour of the old night rate',
  },
  {
    when: is('openrouter', /./),
    verdict: 'ours',
    why: 'a market whose prices move by the week: operators who resell it set their own, or refresh the table',
  },
  {
    when: is('mistral', /codestral-latest|mistral-medium$|open-mistral-nemo|mistral-large-2407/),
    verdict: 'theirs',
    why: 'the alias has moved on, or the price fell; ours is the dearer one until the next table',
  },
  {
    when: is('mistral', /mistral-large-latest/),
    verdict: 'ours',
    why: 'the alias means Large 3 now; the second source prices its predecessor',
  },
  {
    when: is('mistral', /mistral-embed/),
    verdict: 'same',
    why: 'an embedding has no output',
  },
  {
    when: is('gemini', /native-audio/),
    verdict: 'theirs',
    why: 'the Live models’ own prices; ours are those of the text model. They speak over websockets, which are not relayed',
  },
  {
    when: is('gemini', /preview-06-17|preview-09-2025/),
    verdict: 'ours',
    why: 'previews that are switched off',
  },
]

/** A tenth apart: a regional premium. */
function isTenth({ ours, theirs }: Disagreement): boolean {
  if (ours === null || theirs === null) return false
  const ratio = Math.max(ours, theirs) / Math.min(ours, theirs)
  return Math.abs(ratio - 1.1) < 0.001
}

/** A vendor's rounding to a cent. */
function near({ ours, theirs }: Disagreement): boolean {
  return ours !== null && theirs !== null && Math.abs(ours - theirs) / theirs < 0.11
}

const OPEN: Decision = { verdict: 'open', why: 'nobody has looked yet; ours is charged' }

export function decide(found: Disagreement): Decision {
  const rule = RULES.find(({ when }) => when(found))
  return rule ? { verdict: rule.verdict, why: rule.why } : OPEN
}
