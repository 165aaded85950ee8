/** `/admin/settings`: what can be changed while turnpike runs. Which settings there are comes from the configuration's schema. */
import type { TObject } from '@sinclair/typebox'
import type { SettingsAdmin } from '../../admin/settings.ts'
import { type Call, call } from './call.ts'

export interface SettingsSchemas {
  view: TObject
  patch: TObject
}

export function settingsCalls(settings: SettingsAdmin, { view, patch }: SettingsSchemas): Call[] {
  const common = { path: '/admin/settings', tag: 'Settings', status: 200, answer: view, problems: [] } as const
  return [
    call({
      ...common,
      method: 'GET',
      summary: 'Get the run-time settings',
      description: 'Their values now: stored ones laid over those of the environment.',
      handle: () => settings.get(),
    }),
    call({
      ...common,
      method: 'PATCH',
      summary: 'Change run-time settings',
      description:
        'Only the settings given are changed; null takes a stored value away, so that the environment’s holds again.',
      body: patch,
      bodyExample: { max_attempts: 3, unpriced_models: 'deny', sse_keepalive: null },
      handle: ({ actor, body }) => settings.patch(actor, body),
    }),
  ]
}
