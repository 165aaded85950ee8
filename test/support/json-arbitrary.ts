/** JSON texts written by hand, so that odd white space, every escape, duplicate keys and odd numbers occur. */
import fc from 'fast-check'

const space = fc.stringMatching(/^[ \t\n\r]{0,2}$/)
const character = fc.oneof(
  { weight: 6, arbitrary: fc.stringMatching(/^[ !#-Z^-~]{0,6}$/) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('\\n', '\\"', '\\\\', '\\/', '\\u0000', '\\uD83D', '\\ud83d\\ude00', '\\u2028'),
  },
  { weight: 1, arbitrary: fc.constantFrom('é', '漢', '😀', '\u2028', '\u007f', '[', ']', '\ufeff') },
)
export const jsonString = fc.array(character, { maxLength: 5 }).map((parts) => `"${parts.join('')}"`)

const number = fc.oneof(
  fc.constantFrom('0', '-0', '1e3', '1E+2', '-1.5e-7', '0.0', '10', '9007199254740993', '1e999'),
  fc.integer().map(String),
)
const literal = fc.constantFrom('true', 'false', 'null')

/** `keys` are raw, with their quotes, so that escaped spellings can be among them. */
export function jsonText(keys: readonly string[]): fc.Arbitrary<string> {
  const key = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...keys) }, { weight: 1, arbitrary: jsonString })
  return fc.letrec<{ value: string; padded: string; member: string }>((tie) => ({
    padded: fc.tuple(space, tie('value'), space).map((parts) => parts.join('')),
    member: fc
      .tuple(space, key, space, tie('padded'))
      .map(([before, name, after, value]) => `${before}${name}${after}:${value}`),
    value: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      jsonString,
      number,
      literal,
      fc
        .tuple(space, fc.array(tie('padded'), { maxLength: 5 }))
        .map(([inner, all]) => `[${all.length ? all.join(',') : inner}]`),
      fc
        .tuple(space, fc.array(tie('member'), { maxLength: 6 }))
        .map(([inner, all]) => `{${all.length ? all.join(',') : inner}}`),
    ),
  })).padded
}
