/**
 * The slow twin of lib/json-scan: builds the whole tree with positions, recursively, from a text known to be valid.
 * Positions are string indexes, so texts are compared as latin1 or ASCII.
 */
export interface TreeNode {
  start: number
  end: number
  value: unknown
  members: { key: string; node: TreeNode }[]
  elements: TreeNode[]
}

export function parseTree(text: string): TreeNode {
  let pos = 0
  const space = () => {
    while (' \n\r\t'.includes(text[pos]!) && pos < text.length) pos++
  }
  const string = (): string => {
    const start = pos
    for (pos++; text[pos] !== '"'; pos++) if (text[pos] === '\\') pos++
    pos++
    return JSON.parse(text.slice(start, pos))
  }
  const value = (): TreeNode => {
    space()
    const node: TreeNode = { start: pos, end: -1, value: undefined, members: [], elements: [] }
    if (text[pos] === '"') node.value = string()
    else if (text[pos] === '{' || text[pos] === '[') {
      const isObject = text[pos++] === '{'
      for (space(); text[pos] !== '}' && text[pos] !== ']'; space()) {
        if (text[pos] === ',') pos++
        space()
        if (!isObject) {
          node.elements.push(value())
          continue
        }
        const key = string()
        space()
        pos++
        node.members.push({ key, node: value() })
      }
      pos++
    } else {
      const [literal] = /^[-+.\w]+/.exec(text.slice(pos))!
      pos += literal.length
      node.value = JSON.parse(literal)
    }
    node.end = pos
    return node
  }
  return value()
}

/** Spans at a path of keys and `[]`, `[n]`, `[<n]` steps. `every`: also what duplicates replaced. */
export function spansAt(root: TreeNode, path: string, every: boolean): [number, number][] {
  let level = [root]
  for (const [, key, index] of path.matchAll(/([^.[\]]+)|(\[<?\d*\])/g)) {
    level = level.flatMap((node) => {
      if (key !== undefined) {
        const named = node.members.filter((member) => member.key === key).map((member) => member.node)
        return every ? named : named.slice(-1)
      }
      const inside = index!.slice(1, -1)
      if (inside === '') return node.elements
      return inside.startsWith('<')
        ? node.elements.slice(0, Number(inside.slice(1)))
        : node.elements.slice(Number(inside)).slice(0, 1)
    })
  }
  return level.map(({ start, end }) => [start, end])
}
