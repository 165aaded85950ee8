/**
 * An append-only journal in a folder of its own: what was appended survives the death of the process, because it was given to the kernel
 * before `append` returned; what was synced survives the death of the machine. Read from the front, and removed file by file once it is
 * no longer wanted.
 *
 * A position is a number of bytes since the journal was opened; it only grows. One writer (whoever holds the folder, see ./journal-folders);
 * an opened journal goes on behind what it finds, in a new file, so a torn tail is never written to.
 *
 * If it fails: an append that finds no room leaves nothing half written, says no and sets `fault`; once a second it is tried whether there
 * is room again. Damage is counted and stepped over. A failed sync is told to those who wait for it.
 */
import { ftruncateSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { createGroupSync } from './group-sync.ts'
import { MOST_FRAME_BYTES, readFrames, writeFrame } from './journal-frames.ts'

export interface JournalOptions {
  directory: string
  /** A file is begun anew when it would grow beyond this. */
  segmentBytes: number
  /** Longest that appended texts wait for the disk. */
  syncMs: number
  onFaultChange?(fault: string | null): void
}

export interface ReadTexts {
  texts: string[]
  /** Behind the last of them. */
  next: number
  damagedBytes: number
}

export interface Journal {
  /** False: there is no room, or the text is longer than any may be. */
  append(text: string): boolean
  /** Resolves when everything appended so far is on the disk; rejects when the disk refuses. */
  synced(): Promise<void>
  /** Texts from a position on; none: that is the end. */
  read(from: number, most: number): Promise<ReadTexts>
  /** What lies before the position is no longer wanted. */
  release(upTo: number): void
  readonly end: number
  /** On the disk, with what was released but shares a file with what was not. */
  readonly bytes: number
  /** Why nothing can be appended; null: it can, as far as is known. */
  readonly fault: string | null
  /** Gives back the file; the folder is left as it is. */
  close(): Promise<void>
}

interface Segment {
  path: string
  /** Position of its first byte. */
  start: number
  bytes: number
}

const PROBE_BYTES = 64 * 1024
const PROBE_EVERY_MS = 1000
const READ_BYTES = 2 * MOST_FRAME_BYTES

export function createJournal(options: JournalOptions): Journal {
  const { directory } = options
  const segments = listSegments(directory)
  const frame = Buffer.allocUnsafe(MOST_FRAME_BYTES)
  const sync = createGroupSync({ everyMs: options.syncMs, directory })
  let end = segments.reduce((sum, { bytes }) => sum + bytes, 0)
  let total = end
  let nextNumber = segments.length === 0 ? 1 : numberOf(segments.at(-1)?.path ?? '') + 1
  let active: { fd: number; segment: Segment } | null = null
  let fault: string | null = null
  let probing: ReturnType<typeof setInterval> | null = null

  function setFault(next: string | null): void {
    if (next === fault) return
    fault = next
    if (probing) clearInterval(probing)
    probing = next === null ? null : setInterval(probe, PROBE_EVERY_MS)
    probing?.unref()
    options.onFaultChange?.(next)
  }

  function begin(): { fd: number; segment: Segment } {
    const path = join(directory, `${String(nextNumber++).padStart(10, '0')}${SUFFIX}`)
    const fd = openSync(path, 'ax', 0o600)
    const segment = { path, start: end, bytes: 0 }
    segments.push(segment)
    if (active) sync.retire(active.fd)
    active = { fd, segment }
    sync.begun()
    return active
  }

  /** All of it or nothing. */
  function write(bytes: Buffer, length: number, keep: boolean): boolean {
    let into = active
    try {
      if (!into || into.segment.bytes + length > options.segmentBytes) into = begin()
      const written = writeSync(into.fd, bytes, 0, length)
      if (written === length && keep) return true
      ftruncateSync(into.fd, into.segment.bytes)
      if (written === length) return true
      setFault(`the disk took ${written} of ${length} bytes`)
    } catch (error) {
      takeBack(into)
      setFault((error as Error).message)
    }
    return false
  }

  /** If even that fails, the file ends here: half a frame at its end is passed over in reading. */
  function takeBack(from: typeof active): void {
    if (!from) return
    try {
      ftruncateSync(from.fd, from.segment.bytes)
    } catch {
      sync.retire(from.fd)
      active = null
    }
  }

  /** Room for some records, not only for one more byte. */
  function probe(): void {
    if (write(Buffer.alloc(PROBE_BYTES), PROBE_BYTES, false)) setFault(null)
  }

  return {
    append(text) {
      const length = writeFrame(frame, text)
      if (length === null || !write(frame, length, true)) return false
      if (active) active.segment.bytes += length
      end += length
      total += length
      setFault(null)
      if (active) sync.written(active.fd)
      return true
    },
    synced: () => sync.synced(),
    read: (from, most) => readTexts(segments, from, most),
    release(upTo) {
      while (segments[0] && segments[0] !== active?.segment && segments[0].start + segments[0].bytes <= upTo) {
        rmSync(segments[0].path, { force: true })
        total -= segments[0].bytes
        segments.shift()
      }
      const [last] = segments
      if (!active || last !== active.segment || upTo < end || last.bytes === 0) return
      ftruncateSync(active.fd, 0)
      total -= last.bytes
      Object.assign(last, { start: end, bytes: 0 })
    },
    get end() {
      return end
    },
    get bytes() {
      return total
    },
    get fault() {
      return fault
    },
    async close() {
      if (probing) clearInterval(probing)
      await sync.close(active?.fd ?? null)
      active = null
    },
  }
}

const SUFFIX = '.journal'
const numberOf = (path: string) => Number.parseInt(basename(path), 10)

/** A journal's files in the order in which they were begun. */
function listSegments(directory: string): Segment[] {
  let start = 0
  const names = readdirSync(directory).filter((name) => name.endsWith(SUFFIX))
  return names.sort().map((name) => {
    const path = join(directory, name)
    const segment = { path, start, bytes: statSync(path).size }
    start += segment.bytes
    return segment
  })
}

async function readTexts(segments: readonly Segment[], from: number, most: number): Promise<ReadTexts> {
  const result: ReadTexts = { texts: [], next: from, damagedBytes: 0 }
  // Appending goes on while the disk is waited for: only what was there at the beginning is read.
  for (const { path, start, bytes } of segments.map((segment) => ({ ...segment }))) {
    const segmentEnd = start + bytes
    if (segmentEnd <= result.next) continue
    result.next = Math.max(result.next, start)
    const file = await open(path, 'r')
    try {
      while (result.next < segmentEnd) {
        const size = Math.min(READ_BYTES, segmentEnd - result.next)
        const buffer = Buffer.allocUnsafe(size)
        const { bytesRead } = await file.read(buffer, 0, size, result.next - start)
        const frames = readFrames(buffer.subarray(0, bytesRead), most - result.texts.length)
        for (const text of frames.texts) result.texts.push(text)
        result.damagedBytes += frames.damagedBytes
        result.next += frames.end
        if (result.texts.length >= most) return result
        // Nothing sound in as much as holds two of the longest frames, or the torn tail of a file.
        const isTail = result.next + frames.restBytes >= segmentEnd || bytesRead < size
        if (isTail) result.next = segmentEnd
        else if (frames.texts.length === 0) {
          result.next += MOST_FRAME_BYTES
          result.damagedBytes += MOST_FRAME_BYTES
        }
      }
    } finally {
      await file.close()
    }
    if (result.texts.length > 0) return result
  }
  return result
}
