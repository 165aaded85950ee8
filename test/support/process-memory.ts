/** Memory of another process, as the kernel counts it. */
import { readFileSync } from 'node:fs'

export function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}
