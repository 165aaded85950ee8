/**
 * Finds where the text of JSON strings stops, which is what reading a request body mostly consists of, sixteen bytes a step: 0.15 to 0.7 ns a
 * byte, where JavaScript takes 0.4 to 4.7, most where there are many escapes: in code, in JSON within strings. In WebAssembly: json-text.wat.
 *
 * The module's memory holds a window of the bytes. Each is copied once, as a scan comes to it, and a document of any size takes 64 kB.
 *
 * If it fails: where the runtime does not take the module (`validate`), it is done in JavaScript.
 */
import { isEscapable, isHexDigit, type StringText, textIn } from './json-bytes.ts'
import { JSON_TEXT_WASM } from './json-text.gen.ts'

export const WINDOW_BYTES = 65_536
/** Before the window lies a table, behind it what may be read too (json-text.wat). */
const TABLE_BYTES = 256
const NO_BYTES = new Uint8Array(0)

type TextEnd = (at: number, end: number) => number

const compiled = compile()

/**
 * The text of a document that is read from its beginning to its end. All share one window: nobody else may begin to read before `read` returns.
 * The document itself is let go of then; up to 64 kB of it stay in the window until the next. `context`: what `read` needs besides, so that one
 * function can read all documents.
 */
export function withText<C, T>(bytes: Uint8Array, context: C, read: (context: C, text: StringText) => T): T {
  if (compiled === null) return read(context, textIn(bytes))
  compiled.open(bytes)
  try {
    return read(context, compiled)
  } finally {
    compiled.open(NO_BYTES)
  }
}

class WindowedText implements StringText {
  private bytes: Uint8Array = NO_BYTES
  /** Where the window begins in the document, and ends. */
  private start = 0
  private stop = 0
  private readonly window: Uint8Array

  constructor(
    memory: Uint8Array,
    private readonly textEnd: TextEnd,
  ) {
    this.window = memory.subarray(TABLE_BYTES, TABLE_BYTES + WINDOW_BYTES)
  }

  open(bytes: Uint8Array): void {
    this.bytes = bytes
    this.start = 0
    this.stop = 0
  }

  end(from: number): number {
    const { length } = this.bytes
    let pos = from
    while (pos < length) {
      if (pos < this.start || pos >= this.stop) this.move(pos)
      const shift = TABLE_BYTES - this.start
      pos = this.textEnd(pos + shift, this.stop + shift) - shift
      if (pos < this.stop) return pos
    }
    return length
  }

  private move(to: number): void {
    this.start = to
    this.stop = Math.min(this.bytes.length, to + WINDOW_BYTES)
    this.window.set(this.bytes.subarray(to, this.stop))
  }
}

function compile(): WindowedText | null {
  const wasm = Buffer.from(JSON_TEXT_WASM, 'base64')
  if (!WebAssembly.validate(wasm)) return null
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm))
  const memory = new Uint8Array((exports.memory as WebAssembly.Memory).buffer)
  for (let byte = 0; byte < TABLE_BYTES; byte++) memory[byte] = (isEscapable(byte) ? 1 : 0) | (isHexDigit(byte) ? 2 : 0)
  return new WindowedText(memory, exports.textEnd as TextEnd)
}
