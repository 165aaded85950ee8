/** Responses and Chat report the same numbers under two sets of names; one reader knows both. */
export { fromOpenaiUsage as fromResponsesUsage } from '../openai-chat/usage.ts'
