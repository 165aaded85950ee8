/** Which client is calling, by its user agent (KEY-9). One table; patterns of an operator's own are user agents with `*`. */

/** Forms as real clients send them: `claude-cli/2.1.330 (external, sdk-cli)`, `codex_exec/0.169.0 (…)`, `GeminiCLI-tui/0.61.0/…`. */
const KNOWN_CLIENTS: Readonly<Record<string, RegExp>> = {
  claude_code: /^claude-cli\/\d/i,
  codex_cli: /^codex(?:_|-)[a-z_-]+\/\d|^codex\/\d/i,
  gemini_cli: /^GeminiCLI[\w-]*\/v?\d/i,
}

/** Compiles a key's client list: known names and user-agent patterns ("MyTool/*"; `*` is any text, the rest is literal, case ignored). */
export function compileClientList(names: readonly string[]): (userAgent: string) => boolean {
  const tests = names.map((name) => KNOWN_CLIENTS[name] ?? toPattern(name))
  return (userAgent) => tests.some((test) => test.test(userAgent))
}

function toPattern(text: string): RegExp {
  const literal = (part: string) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${text.split('*').map(literal).join('.*')}$`, 'i')
}
