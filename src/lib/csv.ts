/**
 * One line of CSV (RFC 4180: fields in quotes where needed, CRLF), safe to open in a spreadsheet.
 *
 * A text that begins like a formula gets an apostrophe before it, because spreadsheets would run it: model names, user agents and error
 * messages are strangers' words. https://owasp.org/www-community/attacks/CSV_Injection
 */

export type CsvValue = string | number | boolean | null

const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/
const NEEDS_QUOTES = /[",\r\n]/

export function csvLine(values: readonly CsvValue[]): string {
  let line = ''
  for (const [index, value] of values.entries()) {
    if (index > 0) line += ','
    if (typeof value === 'string') line += field(value)
    else if (value !== null) line += value
  }
  return `${line}\r\n`
}

function field(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text
  return NEEDS_QUOTES.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
