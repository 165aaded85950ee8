/** Fields that the reports on usage have in common. */
import { type TSchema, Type } from '@sinclair/typebox'

const time = (description: string, example: string) => Type.String({ description, example })

/** The span that a report is about, as it was counted. */
export const SpanView = {
  from: time('Start of the first day that counts', '2026-06-30T22:00:00.000Z'),
  to: time('End of the last one: not included', '2026-07-31T22:00:00.000Z'),
}

export const zone = Type.String({ description: 'Time zone in which days begin', example: 'Europe/Berlin' })

export const counted = (description: string, example: number) => Type.Integer({ minimum: 0, description, example })
export const money = (description: string, example: number) => Type.Number({ description, example })

const orNull = <S extends TSchema>(schema: S, description: string, example: unknown) =>
  Type.Union([schema, Type.Null()], { description, example, nullable: true })

export const nullableNumber = (description: string, example: number) =>
  orNull(Type.Number({ minimum: 0 }), description, example)
export const percentage = (description: string, example: number) =>
  orNull(Type.Number({ minimum: 0, maximum: 100 }), description, example)
export const nameOf = (what: string, example: string) =>
  orNull(Type.String(), `Of the ${what}, deleted or not; null: there is none with this id (KEY-12)`, example)
