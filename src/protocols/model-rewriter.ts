/**
 * Gives the client the model's name it asked for while the upstream calls it by another (REL-10): replaces the string
 * at exactly the given key paths, only where it equals `from`, in a response body that passes by in chunks. Every other
 * byte passes as it came, and a chunk without such a name passes as the same object.
 *
 * Held back is only what may still become such a name: a value that is cut by the end of a chunk and has been equal so
 * far. Nothing is guessed about chunks: they may end anywhere, within an escape or a UTF-8 sequence.
 * Broken JSON passes untouched from its fault on.
 */
import { compileJsonPaths, type PathNode } from '../lib/json-paths.ts'
import { createJsonTracker } from '../lib/json-tracker.ts'
import { createNameMatcher } from './name-matcher.ts'
import type { Framing } from './protocol.ts'
import type { Rewriter } from './rewriter.ts'
import { createDocumentReader, createStreamReader } from './target-reader.ts'

export interface ModelRewriterOptions {
  framing: Framing
  /** Key paths of model names, from the root of a body or event, or of each element of a `json-array`. */
  paths: readonly (readonly string[])[]
  /** The upstream's name. */
  from: string
  /** The client's name. */
  to: string
}

const NO_BYTES = new Uint8Array(0)
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]
const encoder = new TextEncoder()

export function createModelRewriter({ framing, paths, from, to }: ModelRewriterOptions): Rewriter {
  const name = createNameMatcher(from)
  const tracker = createJsonTracker(rootNode(framing, paths))
  const reader = framing === 'sse' ? createStreamReader(tracker, name.marks) : createDocumentReader(tracker)
  const replacement = encoder.encode(JSON.stringify(to))
  const { target } = tracker
  let held: Uint8Array = NO_BYTES
  let marksSeen = 0

  function skipMark(bytes: Uint8Array): number {
    let pos = 0
    while (pos < bytes.length && bytes[pos] === BYTE_ORDER_MARK[marksSeen]) {
      pos++
      marksSeen++
    }
    if (pos < bytes.length) marksSeen = BYTE_ORDER_MARK.length
    return pos
  }

  /** Where what must be held back begins. */
  function heldStart(bytes: Uint8Array): number {
    if (target.start < 0 || target.end >= 0) return bytes.length
    if (name.mayBegin(bytes.subarray(target.start))) return target.start
    tracker.dismiss()
    return bytes.length
  }

  return {
    push(chunk) {
      const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk])
      let pos = marksSeen < BYTE_ORDER_MARK.length ? skipMark(bytes) : held.length
      let pieces: Uint8Array[] | null = null
      let copied = 0
      reader.give(bytes)
      while (pos < bytes.length) {
        pos = reader.read(pos)
        if (target.end < 0 || !name.equals(bytes.subarray(target.start, target.end))) continue
        pieces ??= []
        pieces.push(bytes.subarray(copied, target.start), replacement)
        copied = target.end
      }
      const end = heldStart(bytes)
      held = end === bytes.length ? NO_BYTES : bytes.subarray(end)
      if (pieces === null) return end === bytes.length ? bytes : bytes.subarray(0, end)
      pieces.push(bytes.subarray(copied, end))
      return Buffer.concat(pieces)
    },
    end() {
      const rest = held
      held = NO_BYTES
      return rest
    },
  }
}

/** An array of documents is one whose elements have the paths; an error in its place is a bare document. */
function rootNode(framing: Framing, paths: ModelRewriterOptions['paths']): PathNode {
  const root: PathNode = compileJsonPaths(Object.fromEntries(paths.map((path) => [path.join('.'), path.join('.')])))
  if (framing !== 'json-array') return root
  return { ...root, elements: { from: 0, to: Number.POSITIVE_INFINITY, node: root } }
}
