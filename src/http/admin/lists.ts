/** What all lists share: `limit`, `cursor`, and the answer's envelope (contract.md). */
import { type TProperties, type TSchema, Type } from '@sinclair/typebox'
import type { Page, PageQuery } from '../../admin/pages.ts'
import { type Fault, isFault } from '../../core/fault.ts'

const PAGE = {
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1000, description: 'Entries on a page; 50 unless told', example: 50 }),
  ),
  cursor: Type.Optional(Type.String({ maxLength: 200, description: 'next_cursor of the page before' })),
}

/** The query of a list: the page and its own filters. */
export function listQuery<Filters extends TProperties>(filters: Filters) {
  return Type.Object({ ...PAGE, ...filters }, { additionalProperties: false })
}

export function listAnswer<Item extends TSchema>(title: string, item: Item) {
  const nextCursor = Type.Union([Type.String(), Type.Null()], {
    description: 'null: this is the last page',
    example: null,
  })
  return Type.Object({ data: Type.Array(item), next_cursor: nextCursor }, { title: `${title}List` })
}

export function toPageQuery({ limit = 50, cursor = null }: { limit?: number; cursor?: string | null }): PageQuery {
  return { limit, cursor }
}

export async function showPage<Row, Shown>(
  found: Page<Row> | Fault | Promise<Page<Row> | Fault>,
  show: (row: Row) => Shown,
): Promise<{ data: Shown[]; next_cursor: string | null } | Fault> {
  const page = await found
  return isFault(page) ? page : { data: page.rows.map(show), next_cursor: page.nextCursor }
}
