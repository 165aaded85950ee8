/** `GET /v1beta/models` and `/v1beta/models/{id}` as Google answers them. https://ai.google.dev/api/models */
import type { ListedModel } from '../protocol.ts'

const GENERATION = ['generateContent', 'streamGenerateContent', 'countTokens']
const EMBEDDING = ['embedContent', 'batchEmbedContents', 'countTokens']

export function geminiModelList(models: readonly ListedModel[]) {
  return { models: models.map(geminiModel) }
}

/** Clients choose by the methods. Only a model's name tells what it does; Google's embedding models all say so. */
export function geminiModel(model: ListedModel) {
  return {
    name: `models/${model.id}`,
    baseModelId: model.id,
    version: '001',
    displayName: model.id,
    supportedGenerationMethods: model.id.includes('embed') ? EMBEDDING : GENERATION,
  }
}
