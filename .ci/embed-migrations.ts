/**
 * Writes src/db/migrations.gen.ts: the SQL of drizzle/ as text, in the journal's order, so that the one binary carries its
 * migrations. Run it after `drizzle-kit generate`; a test fails when the two differ.
 */
import { join } from 'node:path'

const root = join(import.meta.dir, '..')

/** The generated module's text. */
export async function migrationsModule(): Promise<string> {
  const journal = (await Bun.file(join(root, 'drizzle/meta/_journal.json')).json()) as { entries: { tag: string }[] }
  const lines = await Promise.all(
    journal.entries.map(async ({ tag }) => {
      const text = await Bun.file(join(root, `drizzle/${tag}.sql`)).text()
      return `  { name: ${JSON.stringify(tag)}, sql: ${JSON.stringify(text)} },\n`
    }),
  )
  return `// Made by .ci/embed-migrations.ts from drizzle/: do not edit.
export const MIGRATIONS: readonly { name: string; sql: string }[] = [
${lines.join('')}]
`
}

if (import.meta.main) await Bun.write(join(root, 'src/db/migrations.gen.ts'), await migrationsModule())
