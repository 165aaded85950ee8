import { describe, expect, test } from 'bun:test'
import { readBlock, splitBlocks } from '../../src/lib/sse-block.ts'

describe('server-sent events', () => {
  test('data with or without its space, CRLF, comments, several data lines, id and retry are read (REL-8)', () => {
    const text = ': hello\r\nevent: a\r\nid: 1\r\nretry: 5\r\ndata: {"x":\r\ndata:1}'
    expect(readBlock(text)).toEqual({ event: 'a', data: '{"x":\n1}', error: null, foreign: null })
  })

  test('only one space after the colon belongs to the field', () => {
    expect(readBlock('data:  x').data).toBe(' x')
    expect(readBlock('data').data).toBe('')
  })

  test('a byte order mark before the first field is none of it (REL-8)', () => {
    expect(readBlock('\uFEFFdata: 1').data).toBe('1')
    expect(readBlock('\uFEFF: comment').foreign).toBeNull()
  })

  test('what is no field is kept apart: a page, bare JSON, an `error` field', () => {
    expect(readBlock('<html>\n<p>busy</p>').foreign).toBe('<html>\n<p>busy</p>')
    expect(readBlock('{\n  "error": {}\n}').foreign).toBe('{\n  "error": {}\n}')
    expect(readBlock('error: {"detail":"x"}').error).toBe('{"detail":"x"}')
  })

  test('blank lines of either kind part the blocks; what is open is the rest', () => {
    expect(splitBlocks('a\n\nb\r\n\r\nc\n')).toEqual({ blocks: ['a', 'b'], rest: 'c\n' })
    expect(splitBlocks('a\n\n')).toEqual({ blocks: ['a'], rest: '' })
  })
})
