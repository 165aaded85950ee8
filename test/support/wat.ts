/** WebAssembly's text format → its binary one, in base64. */
import { readFileSync } from 'node:fs'
import wabt from 'wabt'

export async function compileWat(path: string): Promise<string> {
  const { parseWat } = await wabt()
  const parsed = parseWat(path, readFileSync(path, 'utf8'), { simd: true })
  return Buffer.from(parsed.toBinary({}).buffer).toString('base64')
}
