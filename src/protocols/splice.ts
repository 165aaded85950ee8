/**
 * Changes a request body at byte ranges, never by serialising it anew (REL-2): key order, white space, escapes and the
 * spelling of numbers survive everywhere else, and a body that needs no change stays the very same bytes.
 */
import { OPEN_BRACE } from '../lib/json-bytes.ts'
import { isString, readString, type Span } from '../lib/json-read.ts'
import type { Inspected } from './protocol.ts'
import { memberSlot } from './request-body.ts'

/** `start` = `end` inserts. */
export interface Edit extends Span {
  bytes: Uint8Array
}

const encoder = new TextEncoder()

/** Edits may come in any order but must not overlap. No edits: the body itself, not a copy. */
export function splice(body: Uint8Array, edits: readonly Edit[]): Uint8Array {
  if (edits.length === 0) return body
  const ordered = edits.toSorted((a, b) => a.start - b.start)
  const growth = ordered.reduce((sum, edit) => sum + edit.bytes.length - (edit.end - edit.start), 0)
  const result = new Uint8Array(body.length + growth)
  let read = 0
  let written = 0
  for (const edit of ordered) {
    if (edit.start < read || edit.end < edit.start) throw new Error('edits of a request body overlap')
    result.set(body.subarray(read, edit.start), written)
    written += edit.start - read
    result.set(edit.bytes, written)
    written += edit.bytes.length
    read = edit.end
  }
  result.set(body.subarray(read), written)
  return result
}

export interface RequestChanges {
  /** The account's name for the model; null: it is called what the client calls it. */
  upstreamModel: string | null
  /** The upstream must not store the response (REL-3). */
  forceStoreFalse: boolean
  /** Have a chat stream report its usage (REL-8). */
  askUsage: boolean
}

/** The edits that make a client's body fit an account: none for most. */
export function requestEdits(body: Uint8Array, inspected: Inspected, changes: RequestChanges): Edit[] {
  const edits = modelEdits(body, inspected, changes.upstreamModel ?? inspected.model)
  const members: string[] = []
  if (changes.forceStoreFalse) {
    if (inspected.storeSpan === null) members.push('"store":false')
    else if (!spells(body, inspected.storeSpan, 'false')) edits.push(replace(inspected.storeSpan, 'false'))
  }
  const { usageOption } = inspected
  if (changes.askUsage && usageOption !== null) {
    if (usageOption.kind === 'absent') members.push('"stream_options":{"include_usage":true}')
    else edits.push(usageEdit(body, usageOption))
  }
  if (members.length > 0) edits.push(insert(inspected, members.join(',')))
  return edits
}

/**
 * Makes every place that an upstream may read the model from say `model`, also with no mapping: a duplicate key or a
 * Gemini body must not name another model than the one that was checked and priced. Gemini bodies spell it "models/NAME":
 * `inspected.model` has that taken off, so it is kept here.
 */
function modelEdits(body: Uint8Array, inspected: Inspected, model: string): Edit[] {
  const edits: Edit[] = []
  for (const span of inspected.modelSpans) {
    // The usual case: no mapping, and the name stands there as it was read.
    if (model === inspected.model && isString(body, span, model)) continue
    const value = readString(body, span)
    const prefixed = value?.startsWith('models/') && !inspected.model.startsWith('models/')
    const wanted = prefixed ? `models/${model}` : model
    if (value !== wanted) edits.push(replace(span, JSON.stringify(wanted)))
  }
  return edits
}

function usageEdit(body: Uint8Array, option: { span: Span; includeUsageSpan: Span | null }): Edit {
  if (option.includeUsageSpan !== null) return replace(option.includeUsageSpan, 'true')
  // `"stream_options": null`
  if (body[option.span.start] !== OPEN_BRACE) return replace(option.span, '{"include_usage":true}')
  return insert(memberSlot(body, option.span), '"include_usage":true')
}

function replace({ start, end }: Span, text: string): Edit {
  return { start, end, bytes: encoder.encode(text) }
}

function insert(object: { insertAt: number; empty: boolean }, members: string): Edit {
  const text = object.empty ? members : `${members},`
  return { start: object.insertAt, end: object.insertAt, bytes: encoder.encode(text) }
}

function spells(body: Uint8Array, { start, end }: Span, literal: string): boolean {
  return end - start === literal.length && body[start] === literal.charCodeAt(0)
}
