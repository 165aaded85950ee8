/** Where the usage journals are: below DATA_DIR, one folder for each process (lib/journal-folders). */
import { join } from 'node:path'
import type { Config } from '../config.ts'

export const journalHome = ({ dataDir }: Pick<Config, 'dataDir'>): string => join(dataDir, 'journal')
