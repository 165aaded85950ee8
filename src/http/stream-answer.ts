/**
 * An answer of any size, or without an end, made while it is read: the next piece is asked for when the client has taken the last one, so that
 * memory does not grow with the answer, nor with the slowness of who reads it.
 *
 * If it fails: half an answer has gone out and no status can tell any more. It is logged, and the connection is cut instead of ended, so that
 * no client takes the half for the whole. A client that leaves is no failure.
 */
import { type AnswerOptions, textAnswer } from './answer.ts'

export interface StreamedAnswer {
  contentType: string
  /** Under which browsers save it; none: it is not for saving. */
  fileName?: string
  /** Asked for one at a time. `return` is called when the client leaves, also while a piece is being made. */
  pieces: AsyncIterable<string>
}

export function isStreamed(value: unknown): value is StreamedAnswer {
  return typeof value === 'object' && value !== null && 'pieces' in value && 'contentType' in value
}

export function streamAnswer(
  { contentType, fileName, pieces }: StreamedAnswer,
  options: Pick<AnswerOptions, 'requestId'> & { onFailure(error: unknown): void },
): Response {
  const iterator = pieces[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  let left = false
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { value, done } = await iterator.next()
          if (left) return
          if (done) controller.close()
          else controller.enqueue(encoder.encode(value))
        } catch (error) {
          if (left) return
          options.onFailure(error)
          controller.error(error)
        }
      },
      async cancel() {
        left = true
        await iterator.return?.()
      },
    },
    { highWaterMark: 0 },
  )
  // Nginx and its like would hold pieces back until a buffer is full.
  const headers: Record<string, string> = { 'x-accel-buffering': 'no' }
  if (fileName !== undefined) headers['content-disposition'] = `attachment; filename="${fileName}"`
  return textAnswer(body, contentType, { requestId: options.requestId, headers })
}
