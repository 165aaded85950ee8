/**
 * One HTTP/1.1 message read off a socket as it comes: its raw head, its body's bytes, its end. Tests need what libraries hide: the very bytes
 * of a head, headers sent twice, a body that stopped in the middle.
 */
export interface MessageHead {
  /** Everything up to the blank line, as it came. */
  raw: string
  startLine: string
  /** Names as they were spelled, in order. */
  fields: [name: string, value: string][]
  /** The first value of a name, in any spelling. */
  header(name: string): string | null
}

export interface MessageReader {
  /** Takes bytes; gives back those behind the message's end (the next message's). */
  push(bytes: Buffer): Buffer
  head: MessageHead | null
  body: Buffer[]
  bodyBytes: number
  /** The whole body is here. */
  done: boolean
}

export interface ReaderOptions {
  /** Without a length a response ends with its connection, and a request has no body. */
  kind: 'request' | 'response'
  /** Body bytes are only counted, for tests that read very many. */
  countOnly?: boolean
}

type Step = 'head' | 'until-close' | 'length' | 'chunk-size' | 'chunk' | 'chunk-end' | 'last-line' | 'done'

const NOTHING: Buffer = Buffer.alloc(0)

export function createMessageReader({ kind, countOnly = false }: ReaderOptions): MessageReader {
  let pending = NOTHING
  let step: Step = 'head'
  /** Bytes of the body, or of the chunk, that are still to come. */
  let left = 0

  /** Up to a separator, which is dropped too; null: it is not here yet. */
  function takeTo(separator: string): string | null {
    const end = pending.indexOf(separator)
    if (end < 0) return null
    const text = pending.toString('latin1', 0, end)
    pending = pending.subarray(end + separator.length)
    return text
  }

  function takeBody(most: number): void {
    const part = pending.subarray(0, most)
    pending = pending.subarray(part.length)
    left -= part.length
    reader.bodyBytes += part.length
    if (!countOnly && part.length > 0) reader.body.push(Buffer.from(part))
  }

  /** Reads on; false: more bytes are needed. */
  function advance(): boolean {
    const before: Step = step
    if (step === 'head') {
      const raw = takeTo('\r\n\r\n')
      if (raw === null) return false
      reader.head = parseHead(raw)
      left = Number(reader.head.header('content-length') ?? 0)
      step = framingOf(reader.head, kind)
    } else if (step === 'chunk-size') {
      const size = takeTo('\r\n')
      if (size === null) return false
      left = Number.parseInt(size, 16)
      step = left === 0 ? 'last-line' : 'chunk'
    } else if (step === 'chunk-end' || step === 'last-line') {
      if (takeTo('\r\n') === null) return false
      step = step === 'last-line' ? 'done' : 'chunk-size'
    } else if (step === 'until-close') takeBody(pending.length)
    else takeBody(left)
    if (step === 'length' && left === 0) step = 'done'
    if (step === 'chunk' && left === 0) step = 'chunk-end'
    reader.done = step === 'done'
    return step !== before
  }

  const reader: MessageReader = {
    push(bytes) {
      pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes])
      while (step !== 'done' && advance());
      const rest = step === 'done' ? pending : NOTHING
      if (step === 'done') pending = NOTHING
      return rest
    },
    head: null,
    body: [],
    bodyBytes: 0,
    done: false,
  }
  return reader
}

function framingOf(head: MessageHead, kind: ReaderOptions['kind']): Step {
  if (/^HTTP\/1\.1 (1\d\d|204|304) /.test(head.startLine)) return 'done'
  if (head.header('transfer-encoding')?.toLowerCase().includes('chunked')) return 'chunk-size'
  return kind === 'request' || head.header('content-length') !== null ? 'length' : 'until-close'
}

function parseHead(raw: string): MessageHead {
  const [startLine = '', ...lines] = raw.split('\r\n')
  const fields = lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
  return {
    raw,
    startLine,
    fields,
    header: (name) => fields.find(([field]) => field.toLowerCase() === name.toLowerCase())?.[1] ?? null,
  }
}
