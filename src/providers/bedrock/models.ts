/**
 * Anthropic's names for models → Bedrock's ids, by region. A name that is not listed passes as it is: Bedrock's own ids, inference profiles
 * and ARNs, and whatever an account's `model_mapping` says, which is asked first.
 *
 * Newer models are served through inference profiles only: an id with a prefix that says among which regions Bedrock may route it.
 * https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html
 * The narrowest profile of the account's region is taken: who has chosen Frankfurt has chosen Europe. `global.` only where there is
 * no other, or by a mapping: {"claude-sonnet-4-5": "global.anthropic.claude-sonnet-4-5-20250929-v1:0"}.
 */
type Profile = 'us' | 'us-gov' | 'eu' | 'apac' | 'jp' | 'au' | 'global'

/** By the beginning of a region's name, the longest first; each with its profiles, the narrowest first. */
const PROFILES_OF_REGION: readonly (readonly [string, readonly Profile[]])[] = [
  ['us-gov-', ['us-gov']],
  ['us-', ['us', 'global']],
  ['eu-', ['eu', 'global']],
  ['ap-northeast-1', ['jp', 'apac', 'global']],
  ['ap-northeast-3', ['jp', 'apac', 'global']],
  ['ap-southeast-2', ['au', 'apac', 'global']],
  ['ap-southeast-4', ['au', 'apac', 'global']],
  ['ap-', ['apac', 'global']],
  ['', ['global']],
]

/** Ids without "anthropic.", newest first: an undated name means the newest of its kind. */
const MODELS: readonly (readonly [string, readonly Profile[]])[] = [
  ['claude-opus-5', ['us', 'eu', 'jp', 'au', 'global']],
  ['claude-sonnet-5', ['us', 'eu', 'jp', 'au', 'global']],
  ['claude-fable-5', ['us', 'eu', 'global']],
  ['claude-opus-4-8', ['us', 'eu', 'jp', 'au', 'global']],
  ['claude-opus-4-7', ['us', 'eu', 'jp', 'au', 'global']],
  ['claude-sonnet-4-6', ['us', 'eu', 'jp', 'au', 'global']],
  ['claude-opus-4-6-v1', ['us', 'eu', 'au', 'global']],
  ['claude-opus-4-5-20251101-v1:0', ['us', 'eu', 'global']],
  ['claude-haiku-4-5-20251001-v1:0', ['us', 'eu', 'jp', 'au', 'global']],
  ['claude-sonnet-4-5-20250929-v1:0', ['us', 'us-gov', 'eu', 'jp', 'au', 'global']],
  ['claude-opus-4-1-20250805-v1:0', ['us']],
  ['claude-opus-4-20250514-v1:0', ['us']],
  ['claude-sonnet-4-20250514-v1:0', ['us', 'eu', 'apac', 'global']],
  ['claude-3-7-sonnet-20250219-v1:0', ['us', 'eu', 'apac']],
  ['claude-3-5-haiku-20241022-v1:0', ['us']],
  ['claude-3-5-sonnet-20241022-v2:0', ['us', 'apac']],
  ['claude-3-5-sonnet-20240620-v1:0', ['us', 'eu', 'apac']],
  ['claude-3-opus-20240229-v1:0', ['us']],
  ['claude-3-haiku-20240307-v1:0', ['us', 'eu', 'apac']],
  ['claude-3-sonnet-20240229-v1:0', ['us', 'eu', 'apac']],
]

const VERSION = /-v\d+(?::\d+)?$/
const DATE = /-\d{8}$/
const PREFIXES = /^(?:[a-z-]+\.)?anthropic\./

const byName = new Map<string, (typeof MODELS)[number]>()
for (const model of MODELS) {
  for (const name of namesOf(model[0])) if (!byName.has(name)) byName.set(name, model)
}

/** "claude-3-5-sonnet-20241022-v2:0" → its name at Anthropic, then the aliases in use for it. */
function namesOf(id: string): string[] {
  const name = id.replace(VERSION, '')
  const undated = name.replace(DATE, '')
  if (undated === name) return [name]
  return [name, undated, `${undated}-latest`, ...(/-4$/.test(undated) ? [`${undated}-0`] : [])]
}

/** Every name of Anthropic's that has a Bedrock id. */
export const CLAUDE_NAMES: readonly string[] = [...byName.keys()]

/** modelIdIn('eu-central-1', 'claude-sonnet-4-5') → "eu.anthropic.claude-sonnet-4-5-20250929-v1:0" */
export function modelIdIn(region: string, name: string): string {
  const model = byName.get(name)
  if (!model) return name
  const [id, offered] = model
  const usable = PROFILES_OF_REGION.find(([beginning]) => region.startsWith(beginning))?.[1] ?? []
  const profile = usable.find((candidate) => offered.includes(candidate))
  return profile === undefined ? `anthropic.${id}` : `${profile}.anthropic.${id}`
}

/** What a Bedrock id's answers call their model: the name at Anthropic. Other ids stay what they are. */
export function nameOfModelId(modelId: string): string {
  return PREFIXES.test(modelId) ? modelId.replace(PREFIXES, '').replace(VERSION, '') : modelId
}

/** The model behind an inference profile: counting tokens knows no profiles. */
export function withoutProfile(modelId: string): string {
  return modelId.replace(PREFIXES, 'anthropic.')
}
