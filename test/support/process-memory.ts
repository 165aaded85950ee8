/** Memory of another process, as the kernel counts it. */
import { readFileSync } from 'node:fs'

export function residentBytes(pid: number): number {
  return kilobytesIn(`/proc/${pid}/status`, 'VmRSS') * 1024
}

/** With what it shares counted in proportion, so that the shares of several processes can be added. */
export function proportionalBytes(pid: number): number {
  return kilobytesIn(`/proc/${pid}/smaps_rollup`, 'Pss') * 1024
}

function kilobytesIn(path: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(path, 'utf8'))?.[1])
}
