import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { cleanRanges, openProgramPages } from '../../src/lib/program-pages.ts'

const FILE = '/opt/turnpike'
interface Mapping {
  range: string
  permissions: string
  path: string
  anonymousKb?: number
  swapKb?: number
}

const smapsOf = (mappings: Mapping[]) =>
  mappings
    .map(
      ({ range, permissions, path, anonymousKb = 0, swapKb = 0 }) =>
        `${range} ${permissions} 00001000 fe:00 1234                    ${path}\nSize: 64 kB\nRss: 64 kB\n` +
        `Anonymous:       ${String(anonymousKb).padStart(8)} kB\nSwap:            ${String(swapKb).padStart(8)} kB\nVmFlags: rd ex mr\n`,
    )
    .join('')

describe('pages of the program that may be let go of', () => {
  test('are those of its own file that nobody can write, code and constants alike', () => {
    const smaps = smapsOf([
      { range: '00200000-00210000', permissions: 'r--p', path: FILE },
      { range: '00210000-00230000', permissions: 'r-xp', path: FILE },
    ])
    expect(cleanRanges(smaps, FILE)).toEqual([
      { start: 0x200000n, length: 0x10000n },
      { start: 0x210000n, length: 0x20000n },
    ])
  })

  test('are none that hold a page of their own, in memory or swapped out: it would be lost', () => {
    const smaps = smapsOf([
      { range: '00200000-00210000', permissions: 'r--p', path: FILE, anonymousKb: 12 },
      { range: '00210000-00220000', permissions: 'r--p', path: FILE, swapKb: 4 },
      { range: '00220000-00230000', permissions: 'r-xp', path: FILE },
    ])
    expect(cleanRanges(smaps, FILE)).toEqual([{ start: 0x220000n, length: 0x10000n }])
  })

  test('are none that can be written, that are shared, of another file or of no file', () => {
    const smaps = smapsOf([
      { range: '00200000-00210000', permissions: 'rw-p', path: FILE },
      { range: '00210000-00220000', permissions: 'r-xs', path: FILE },
      { range: '00220000-00230000', permissions: 'r-xp', path: '/usr/lib/libc.so.6' },
      { range: '00230000-00240000', permissions: 'r--p', path: '' },
      { range: '00240000-00250000', permissions: 'r-xp', path: `${FILE} (deleted)` },
    ])
    expect(cleanRanges(smaps, FILE)).toEqual([])
  })

  test('are let go of: this very process keeps running on what it maps again, in less memory', () => {
    const pages = openProgramPages()
    const before = residentOfFileKb()
    pages.release()
    const after = residentOfFileKb()
    expect(after).toBeLessThan(before)
    // What runs next is code that was just let go of.
    expect(JSON.parse(JSON.stringify({ sum: [3, 1, 2].sort().join('') })).sum).toBe('123')
  })
})

function residentOfFileKb(): number {
  return Number(/RssFile:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1])
}
