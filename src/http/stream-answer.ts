/**
 * An answer of any size, made while it is read: the next piece is asked for when the client has taken the last one, so that memory does not
 * grow with the answer, nor with the slowness of who reads it.
 *
 * If it fails: half an answer has gone out and no status can tell any more. It is logged, and the connection is cut instead of ended, so that
 * no client takes the half for the whole.
 */
import { type AnswerOptions, textAnswer } from './answer.ts'

export interface StreamedAnswer {
  contentType: string
  /** Under which browsers save it. */
  fileName: string
  /** Asked for one at a time; ended early (`return`) when the client leaves. */
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
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { value, done } = await iterator.next()
          if (done) controller.close()
          else controller.enqueue(encoder.encode(value))
        } catch (error) {
          options.onFailure(error)
          controller.error(error)
        }
      },
      async cancel() {
        await iterator.return?.()
      },
    },
    { highWaterMark: 0 },
  )
  const headers = { 'content-disposition': `attachment; filename="${fileName}"` }
  return textAnswer(body, contentType, { requestId: options.requestId, headers })
}
