/** A value of an answer that may be absent: null, described as the value is. */
import { type TInteger, type TString, Type } from '@sinclair/typebox'

export const orNull = <T extends TString | TInteger>(schema: T) =>
  Type.Union([schema, Type.Null()], { description: schema.description, example: schema.example, nullable: true })
