/**
 * Keyset pagination: a page is "the N rows before this one", so that rows added meanwhile neither repeat nor hide any.
 *
 * Ids are UUIDv7, so the id alone is an order in time; the usage log adds created_at, by which it is partitioned. The
 * cursor is opaque to clients: base64url of those values. A damaged one is a Fault naming `cursor`.
 */
import { type Fault, invalid } from '../core/fault.ts'

export interface PageQuery {
  /** 1 … 1000, checked by the caller. */
  limit: number
  cursor?: string | null
}

export interface Page<T> {
  rows: T[]
  nextCursor: string | null
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function encodeCursor(...values: string[]): string {
  return Buffer.from(values.join('|')).toString('base64url')
}

/** The id in a cursor; null for no cursor. */
export function decodeIdCursor(cursor: string | null | undefined): string | null | Fault {
  if (cursor === null || cursor === undefined || cursor === '') return null
  const id = Buffer.from(cursor, 'base64url').toString()
  return UUID.test(id) ? id : badCursor()
}

/** Time and id in a cursor of the usage log. */
export function decodeTimeCursor(cursor: string | null | undefined): { at: Date; id: string } | null | Fault {
  if (cursor === null || cursor === undefined || cursor === '') return null
  const [ms = '', id = ''] = Buffer.from(cursor, 'base64url').toString().split('|')
  return /^\d{1,15}$/.test(ms) && UUID.test(id) ? { at: new Date(Number(ms)), id } : badCursor()
}

/** Cuts the row that was asked for beyond the limit to know whether there is more. */
export function toPage<T>(rows: T[], limit: number, cursorOf: (row: T) => string): Page<T> {
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return { rows: page, nextCursor: rows.length > limit && last !== undefined ? cursorOf(last) : null }
}

export const isUuid = (text: string): boolean => UUID.test(text)

/** For looking something up by an id that a client made up: what is no UUID matches nothing, instead of failing in Postgres. */
export const asId = (text: string): string => (UUID.test(text) ? text : '00000000-0000-0000-0000-000000000000')

function badCursor(): Fault {
  return invalid('cursor', 'cursor is not one that this list gave out')
}

/** An ILIKE pattern for "holds this text", whatever characters the text has. */
export function containing(text: string): string {
  return `%${cleanText(text).replace(/[\\%_]/g, '\\$&')}%`
}

/** Postgres stores no NUL and no half of a surrogate pair; both can stand in a client's JSON. */
export function cleanText(text: string): string {
  return text.replaceAll('\0', '').toWellFormed()
}
