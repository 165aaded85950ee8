/**
 * Reads an Anthropic Messages stream as strictly as its SDK does: every event named, its name the type in its data, message and blocks opened
 * and closed in order, deltas only into the block that is open. Gives what the SDK would: the message.
 */
interface Block {
  type: string
  text?: string
  json: string
  [field: string]: unknown
}

export interface Message {
  id: string
  model: string
  content: Block[]
  stop_reason: string | null
  usage: Record<string, unknown>
}

export interface ReadStream {
  message: Message
  events: { type: string; [field: string]: unknown }[]
  error: { type: string; message: string } | null
}

export function readMessages(sse: string): ReadStream {
  if (!sse.endsWith('\n\n')) throw new Error('the stream does not end an event')
  const read: ReadStream = { message: null as unknown as Message, events: [], error: null }
  let open: Block | null = null
  let over = false
  for (const block of sse.slice(0, -2).split('\n\n')) {
    const [, name, json] = /^event: (\w+)\ndata: (.+)$/.exec(block) ?? []
    if (json === undefined) throw new Error(`not an event: ${block}`)
    // biome-ignore lint/suspicious/noExplicitAny: whatever JSON the stream holds; a wrong shape fails the test
    const event: any = JSON.parse(json)
    if (event.type !== name) throw new Error(`${name} is called ${event.type}`)
    if (over) throw new Error(`${name} after the end`)
    read.events.push(event)
    if (name === 'error') {
      read.error = event.error
      over = true
    } else if (name === 'message_start') {
      if (read.message) throw new Error('a second message_start')
      read.message = { ...event.message, content: [] }
    } else if (!read.message) throw new Error(`${name} before message_start`)
    else if (name === 'content_block_start') {
      if (open || event.index !== read.message.content.length) throw new Error('a block out of order')
      open = { ...event.content_block, json: '' } as Block
      read.message.content.push(open)
    } else if (name === 'content_block_delta') {
      if (!open || event.index !== read.message.content.length - 1) throw new Error('a delta without its block')
      if (event.delta.type === 'text_delta') open.text += event.delta.text
      if (event.delta.type === 'input_json_delta') open.json += event.delta.partial_json
    } else if (name === 'content_block_stop') {
      if (!open) throw new Error('no block to stop')
      open = null
    } else if (name === 'message_delta') {
      read.message.stop_reason = event.delta.stop_reason
      read.message.usage = { ...read.message.usage, ...event.usage }
    } else if (name === 'message_stop') {
      if (open || read.message.stop_reason === null) throw new Error('stopped too early')
      over = true
    } else if (name !== 'ping') throw new Error(`an event that the SDK does not know: ${name}`)
  }
  if (!over) throw new Error('the stream has no end')
  return read
}
