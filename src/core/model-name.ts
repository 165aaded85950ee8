/**
 * One model, many spellings: the names under which a price is looked for when the name as asked for has none (BIL-2).
 *
 * Deterministic and ordered: the fewer changes the earlier. A dated name says more about the model than the shop that sells it,
 * so prefixes go first and suffixes last. Nothing is matched "by likeness": a part of a name never stands for the whole.
 *
 * priceNames('us.anthropic.claude-sonnet-4-5-20250929-v1:0') →
 *   us.anthropic.claude-sonnet-4-5-20250929-v1:0, anthropic.claude-…-v1:0, claude-…-v1:0,    vendor prefixes off
 *   us.anthropic.claude-sonnet-4-5-20250929, …, claude-sonnet-4-5-20250929,                  Bedrock's version off
 *   us.anthropic.claude-sonnet-4-5, …, claude-sonnet-4-5                                     date off
 */

/** Inference profiles of Bedrock: https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html */
const REGION_PREFIXES = ['us-gov.', 'us.', 'eu.', 'apac.', 'global.', 'jp.', 'au.', 'ca.', 'sa.', 'amer.', 'emea.']

/** "anthropic.", "amazon.": letters only before the first dot, so that the dot of "gpt-5.4" is never taken for one. */
const VENDOR_DOT = /^[a-z]+\.(?=[a-z])/

/**
 * OpenRouter's variants that are billed at the model's own token price. ":free" is not among them: what costs the operator
 * nothing must not be billed at the paid model's price; it stays unpriced until somebody prices it.
 */
const VARIANTS = new Set(['thinking', 'online', 'nitro', 'floor', 'extended', 'beta', 'exacto', 'latest'])

const SUFFIXES = [
  /\[[^\]]*\]$/, // Claude Code's "[1m]"
  /@[^@]*$/, // Vertex: "@20250929", "@default"
  /-v\d+:\d+(?::\d+k)?$/, // Bedrock: "-v1:0", "-v1:0:200k"
  /-latest$/,
  /-20\d\d-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])$/, // "-20250929", "-2025-09-29"
  /-(?:0[1-9]|1[0-2])-20\d\d$/, // "-09-2025"
  /-2\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])?$/, // "-2411", "-251201"
  /-(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$/, // "-0613"
  /-00\d$/, // Gemini: "-001"
]

/**
 * Only of Claude, elsewhere these are parts of a name: Bedrock drops ":0" from newer ids ("claude-opus-4-6-v1"), and
 * "claude-opus-4-0" is Anthropic's alias of claude-opus-4-20250514.
 */
const CLAUDE_VERSION = /-v\d+$|-0$/

/** Longer names than any vendor's are not worth the work: they only ever come from somebody playing. */
const MAX_NAME_LENGTH = 200

/** All names to look a price up by, lower case, best first; the first is the name itself. Empty for an empty or absurdly long name. */
export function priceNames(model: string): string[] {
  const asked = model.trim().toLowerCase()
  if (asked === '' || asked.length > MAX_NAME_LENGTH) return []
  const names = new Set<string>()
  for (let name: string | null = asked; name !== null; name = withoutSuffix(name)) {
    for (let shorter: string | null = name; shorter !== null; shorter = withoutPrefix(shorter)) names.add(shorter)
  }
  for (const name of [...names]) names.add(dashedClaude(name))
  return [...names]
}

function withoutPrefix(name: string): string | null {
  const slash = name.indexOf('/')
  if (slash !== -1) return nonEmpty(name.slice(slash + 1))
  for (const region of REGION_PREFIXES) if (name.startsWith(region)) return nonEmpty(name.slice(region.length))
  const vendor = VENDOR_DOT.exec(name)
  return vendor ? nonEmpty(name.slice(vendor[0].length)) : null
}

function withoutSuffix(name: string): string | null {
  if (name.startsWith('ft:')) return withoutFineTuneSuffix(name)
  const colon = name.lastIndexOf(':')
  if (colon > 0 && VARIANTS.has(name.slice(colon + 1))) return name.slice(0, colon)
  for (const suffix of SUFFIXES) {
    const match = suffix.exec(name)
    if (match && match.index > 0) return name.slice(0, match.index)
  }
  const version = name.includes('claude-') ? CLAUDE_VERSION.exec(name) : null
  return version ? name.slice(0, version.index) : null
}

/** "ft:gpt-4o-2024-08-06:my-org::id" → "ft:gpt-4o-2024-08-06" → "ft:gpt-4o", never the cheaper base model. */
function withoutFineTuneSuffix(name: string): string | null {
  const second = name.indexOf(':', 3)
  if (second !== -1) return name.slice(0, second)
  const base = withoutSuffix(name.slice(3))
  return base === null ? null : `ft:${base}`
}

/** OpenRouter and Copilot write "claude-sonnet-4.5" for Anthropic's "claude-sonnet-4-5". */
function dashedClaude(name: string): string {
  return name.includes('claude-') ? name.replace(/(\d)\.(\d)/g, '$1-$2') : name
}

function nonEmpty(text: string): string | null {
  return text === '' ? null : text
}
