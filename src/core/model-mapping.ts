/**
 * Names with a `*` at the end, compiled once: an account's model mapping (ACC-2) and a key's model list (KEY-5).
 * The exact name wins, then the longest prefix. No regular expression runs per request.
 */
export interface ModelMapper {
  /** The upstream's name for a requested model, or null when the names do not cover it. */
  map(model: string): string | null
}

/**
 * compileMapping({ 'gpt-5*': 'gpt-5.4', 'claude-*': 'anthropic/claude-*' }).map('claude-opus-4-6') → 'anthropic/claude-opus-4-6'
 * A `*` at the end of the target stands for what the pattern's `*` matched. An empty mapping maps every name to itself.
 */
export function compileMapping(mapping: Readonly<Record<string, string>>): ModelMapper {
  const exact = new Map<string, string>()
  const prefixes: { prefix: string; target: string }[] = []
  for (const [pattern, target] of Object.entries(mapping)) {
    if (pattern.endsWith('*')) prefixes.push({ prefix: pattern.slice(0, -1), target })
    else exact.set(pattern, target)
  }
  if (exact.size === 0 && prefixes.length === 0) return { map: (model) => model }
  prefixes.sort((a, b) => b.prefix.length - a.prefix.length)
  return {
    map(model) {
      const target = exact.get(model)
      if (target !== undefined) return target
      for (const entry of prefixes) {
        if (!model.startsWith(entry.prefix)) continue
        return entry.target.endsWith('*') ? entry.target.slice(0, -1) + model.slice(entry.prefix.length) : entry.target
      }
      return null
    },
  }
}

/** Does a list of names (each may end in `*`) cover the model? An empty list covers nothing. */
export function compileModelList(names: readonly string[]): (model: string) => boolean {
  if (names.length === 0) return () => false
  const mapper = compileMapping(Object.fromEntries(names.map((name) => [name, name])))
  return (model) => mapper.map(model) !== null
}
