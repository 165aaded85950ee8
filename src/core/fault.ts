/**
 * What can be wrong with an operator's wish, as a value: the admin API turns it into a status, the CLI into one line.
 *
 * `invalid`: a field's value makes no sense (422; 400 for `cursor` and `limit`). `conflict`: something else holds that
 * name, or still uses the thing (409). A thing that is not there is `null`, not a fault.
 */
export interface Fault {
  fault: 'invalid' | 'conflict'
  /** The field on the wire that is to blame, when one is. */
  field: string | null
  /** A sentence for the operator. */
  message: string
}

export function invalid(field: string | null, message: string): Fault {
  return { fault: 'invalid', field, message }
}

export function conflict(field: string | null, message: string): Fault {
  return { fault: 'conflict', field, message }
}

export function isFault(value: unknown): value is Fault {
  return typeof value === 'object' && value !== null && 'fault' in value && 'message' in value
}
