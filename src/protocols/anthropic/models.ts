/** `GET /v1/models` and `/v1/models/{id}` as Anthropic answers them. https://platform.claude.com/docs/en/api/models-list */
import type { ListedModel } from '../protocol.ts'

/** Always one page: a gateway's list is short. */
export function anthropicModelList(models: readonly ListedModel[]) {
  return {
    data: models.map(anthropicModel),
    has_more: false,
    first_id: models[0]?.id ?? null,
    last_id: models.at(-1)?.id ?? null,
  }
}

export function anthropicModel(model: ListedModel) {
  return { type: 'model', id: model.id, display_name: model.id, created_at: new Date(model.createdAtMs).toISOString() }
}
