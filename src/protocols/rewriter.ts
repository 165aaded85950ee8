/** Changes a response body while it passes by in chunks. Either function may answer no bytes. */
export interface Rewriter {
  /** What can be sent on now. Chunks may be passed on as they are, the same object, so nobody may write to them. */
  push(chunk: Uint8Array): Uint8Array
  /** The body has ended: what was still held back. */
  end(): Uint8Array
}
