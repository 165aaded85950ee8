/**
 * The slow twin of protocols/model-rewriter: takes whole texts apart, parses every document into a tree, and replaces.
 * Only for texts in which each event's data is one JSON document or no JSON at all.
 */
import type { Framing } from '../../src/protocols/protocol.ts'
import { parseTree, spansAt } from './json-tree.ts'

export interface Renaming {
  framing: Framing
  paths: readonly (readonly string[])[]
  from: string
  to: string
}

export function slowRewrite(text: string, renaming: Renaming): string {
  const spans = renaming.framing === 'sse' ? sseDocuments(text) : [{ text, at: (index: number) => index }]
  const found = spans.flatMap((document) =>
    targets(document.text, renaming).map(([start, end]) => [document.at(start), document.at(end - 1) + 1] as const),
  )
  let result = text
  for (const [start, end] of found.sort((a, b) => b[0] - a[0])) {
    result = result.slice(0, start) + JSON.stringify(renaming.to) + result.slice(end)
  }
  return result
}

function targets(text: string, { framing, paths, from }: Renaming): [number, number][] {
  const mark = text.startsWith('\ufeff') ? 1 : 0
  try {
    JSON.parse(text.slice(mark))
  } catch {
    return []
  }
  const root = parseTree(text.slice(mark))
  const documents = framing === 'json-array' ? [root, ...root.elements] : [root]
  return documents
    .flatMap((document) => paths.flatMap((path) => spansAt(document, path.join('.'), true)))
    .map(([start, end]): [number, number] => [start + mark, end + mark])
    .filter(([start, end]) => text[start] === '"' && JSON.parse(text.slice(start, end)) === from)
}

/** The data of every event with a map back into the text. */
function sseDocuments(text: string): { text: string; at(index: number): number }[] {
  const documents: { text: string; at(index: number): number }[] = []
  let data = ''
  let places: number[] = []
  const dispatch = () => {
    const map = places
    if (map.length > 0) documents.push({ text: data.slice(0, -1), at: (index) => map[index]! })
    data = ''
    places = []
  }
  for (const { 0: line, index } of text.matchAll(/[^\n]*\n|[^\n]+$/g)) {
    const content = line.replace(/\r?\n$/, '')
    if (content === '') dispatch()
    const [field] = (index === 0 ? /^\ufeff?data: ?/ : /^data: ?/).exec(content) ?? []
    if (field === undefined) continue
    data += `${content.slice(field.length)}\n`
    for (let at = field.length; at <= content.length; at++) places.push(index + at)
  }
  dispatch()
  return documents
}
