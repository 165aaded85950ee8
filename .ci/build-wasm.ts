/**
 * Compiles src/lib/json-text.wat into the module that json-text.ts loads. By hand, after a change of it: bun .ci/build-wasm.ts
 * A test compares the two.
 */
import { join } from 'node:path'
import { compileWat } from '../test/support/wat.ts'

const folder = join(import.meta.dir, '../src/lib')
const module = await compileWat(join(folder, 'json-text.wat'))
await Bun.write(
  join(folder, 'json-text.gen.ts'),
  `/** json-text.wat, compiled by .ci/build-wasm.ts, in base64. */\nexport const JSON_TEXT_WASM =\n  '${module}'\n`,
)
