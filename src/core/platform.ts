/** The four kinds of upstream (ACC: accounts) and the dialects spoken with clients. Closed lists: everything else is a table over them. */
export const PLATFORMS = ['openai', 'anthropic', 'gemini', 'bedrock'] as const
export type Platform = (typeof PLATFORMS)[number]

export const ACCOUNT_TYPES = ['api_key', 'oauth', 'aws'] as const
export type AccountType = (typeof ACCOUNT_TYPES)[number]

export const PROTOCOL_IDS = ['openai-responses', 'openai-chat', 'anthropic', 'gemini'] as const
export type ProtocolId = (typeof PROTOCOL_IDS)[number]
