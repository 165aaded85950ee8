/** Pages of lists, for rooms that may not know the database. */
export type { Page, PageQuery } from '../db/page.ts'
