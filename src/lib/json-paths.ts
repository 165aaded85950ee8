/**
 * Key paths into a JSON document, compiled once into a tree that a scanner walks beside the document.
 *
 * A path is keys joined by dots: `model`, `generationConfig.maxOutputTokens`. After a key `[]` stands for every element
 * of its array, `[<8]` for the first eight, `[0]` for the first one: `requests[].model`, `messages[<8].role`.
 */
import { BACKSLASH, QUOTE } from './json-bytes.ts'
import { readStringAt } from './json-read.ts'

export interface PathNode<Name extends string = string> {
  /** The wanted path that ends here. */
  name: Name | null
  keys: PathKey<Name>[]
  /** Elements of an array from index `from` up to, not including, `to` lead on to `node`. */
  elements: { from: number; to: number; node: PathNode<Name> } | null
  /** Every wanted path that ends here or further down: what a duplicate of this key makes void. */
  below: Name[]
}

export interface PathKey<Name extends string = string> {
  text: string
  /** UTF-8 without quotes: nearly every key in the wild is spelled like this and is compared undecoded. */
  bytes: Uint8Array
  node: PathNode<Name>
}

const encoder = new TextEncoder()
const STEP = /^([^.[\]]+)(?:\[(<?)(\d*)\])?$/

export function compileJsonPaths<Name extends string>(paths: Readonly<Record<Name, string>>): PathNode<Name> {
  const root = emptyNode<Name>()
  for (const name of Object.keys(paths) as Name[]) {
    const passed = [root]
    let node = root
    for (const step of paths[name].split('.')) {
      const match = STEP.exec(step)
      if (match === null) throw new Error(`"${paths[name]}" is not a JSON path`)
      node = enterKey(node, match[1]!)
      passed.push(node)
      if (match[3] === undefined) continue
      node = enterElements(node, match[2] === '<', match[3])
      passed.push(node)
    }
    if (node.name !== null) throw new Error(`"${paths[name]}" is wanted twice`)
    node.name = name
    for (const each of passed) each.below.push(name)
  }
  return root
}

/**
 * Where the key whose first byte (after the quote) is at `start` leads to, or null when nothing is wanted there.
 * The string must be known to be well-formed. Only a key spelled with escapes ("\u006dodel" is model) is decoded.
 */
export function nodeOfKey<Name extends string>(
  keys: readonly PathKey<Name>[],
  bytes: Uint8Array,
  start: number,
): PathNode<Name> | null {
  for (const key of keys) {
    if (bytes[start + key.bytes.length] === QUOTE && startsWith(bytes, start, key.bytes)) return key.node
  }
  let end = start
  while (end < bytes.length && bytes[end] !== QUOTE && bytes[end] !== BACKSLASH) end++
  if (bytes[end] !== BACKSLASH) return null
  const text = readStringAt(bytes, start - 1)
  for (const key of keys) if (key.text === text) return key.node
  return null
}

/** Where the element at `index` of an array leads to. `parent`: what is wanted of the array. */
export function nodeOfElement<Name extends string>(
  parent: PathNode<Name> | null,
  index: number,
): PathNode<Name> | null {
  if (parent === null || parent.elements === null) return null
  const { from, to, node } = parent.elements
  return index >= from && index < to ? node : null
}

function startsWith(bytes: Uint8Array, start: number, wanted: Uint8Array): boolean {
  for (let index = 0; index < wanted.length; index++) {
    if (bytes[start + index] !== wanted[index]) return false
  }
  return true
}

function emptyNode<Name extends string>(): PathNode<Name> {
  return { name: null, keys: [], elements: null, below: [] }
}

function enterKey<Name extends string>(parent: PathNode<Name>, text: string): PathNode<Name> {
  const known = parent.keys.find((key) => key.text === text)
  if (known !== undefined) return known.node
  const node = emptyNode<Name>()
  parent.keys.push({ text, bytes: encoder.encode(text), node })
  return node
}

function enterElements<Name extends string>(
  parent: PathNode<Name>,
  firstOnes: boolean,
  digits: string,
): PathNode<Name> {
  const from = firstOnes || digits === '' ? 0 : Number(digits)
  const to = digits === '' ? Number.POSITIVE_INFINITY : firstOnes ? Number(digits) : from + 1
  parent.elements ??= { from, to, node: emptyNode<Name>() }
  if (parent.elements.from !== from || parent.elements.to !== to) {
    throw new Error('two paths want different elements of the same array')
  }
  return parent.elements.node
}
