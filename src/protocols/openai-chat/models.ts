/** `GET /v1/models` and `/v1/models/{id}` as OpenAI answers them. https://platform.openai.com/docs/api-reference/models */
import type { ListedModel } from '../protocol.ts'

export function openaiModelList(models: readonly ListedModel[]) {
  return { object: 'list', data: models.map(openaiModel) }
}

export function openaiModel(model: ListedModel) {
  return { id: model.id, object: 'model', created: Math.floor(model.createdAtMs / 1000), owned_by: model.ownedBy }
}
