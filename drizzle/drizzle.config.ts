/**
 * `npx drizzle-kit generate --config drizzle/drizzle.config.ts --name what_changed`, then `bun .ci/embed-migrations.ts`.
 * Works offline: it compares the schema with the last snapshot in meta/, no database is needed.
 */
import { defineConfig } from 'drizzle-kit'

export default defineConfig({ dialect: 'postgresql', schema: './src/schema/*.ts', out: './drizzle' })
