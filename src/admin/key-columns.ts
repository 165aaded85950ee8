/** The columns of a key's create or patch body, whose lists make sense too (KEY-5). */
import type { Static } from '@sinclair/typebox'
import { type Fault, invalid, isFault } from '../core/fault.ts'
import { parseCidr } from '../lib/ip-address.ts'
import type { ApiKeyCreate, ApiKeyPatch } from '../schema/api-key-views.ts'
import type { ColumnsOf } from '../schema/resource.ts'
import { checkPattern } from './account-checks.ts'

type KeyBody = typeof ApiKeyCreate | typeof ApiKeyPatch

export function readKeyColumns<B extends KeyBody>(definition: B, body: Static<B['schema']>): ColumnsOf<B> | Fault {
  const columns = definition.read(body as never) as ColumnsOf<B> | Fault
  if (isFault(columns)) return columns
  const { ipAllow, ipDeny, models } = columns as ColumnsOf<typeof ApiKeyPatch>
  return checkCidrs('ip_allow', ipAllow) ?? checkCidrs('ip_deny', ipDeny) ?? checkModels(models) ?? columns
}

function checkCidrs(field: string, ranges: readonly string[] = []): Fault | null {
  const wrong = ranges.find((range) => parseCidr(range) === null)
  return wrong === undefined ? null : invalid(field, `"${wrong}" is neither an IP address nor a CIDR range`)
}

function checkModels(models: readonly string[] = []): Fault | null {
  for (const model of models) {
    const fault = checkPattern('models', model)
    if (fault) return fault
  }
  return null
}
