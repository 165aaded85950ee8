import { describe, expect, test } from 'bun:test'
import { builtInPrices } from '../../../src/core/built-in-prices.ts'
import { resolvePrice } from '../../../src/core/price-index.ts'
import { CLAUDE_NAMES, modelIdIn, nameOfModelId, withoutProfile } from '../../../src/providers/bedrock/models.ts'
import { createPrices } from '../../../src/state/price-book.ts'

const REGIONS = [
  'us-east-1',
  'us-gov-west-1',
  'eu-central-1',
  'ap-northeast-1',
  'ap-southeast-2',
  'ap-south-1',
  'sa-east-1',
]

describe('Bedrock’s model ids', () => {
  test.each([
    ['us-east-1', 'claude-sonnet-4-5-20250929', 'us.anthropic.claude-sonnet-4-5-20250929-v1:0'],
    ['eu-central-1', 'claude-sonnet-4-5', 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0'],
    ['us-gov-west-1', 'claude-sonnet-4-5', 'us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0'],
    ['ap-northeast-1', 'claude-haiku-4-5', 'jp.anthropic.claude-haiku-4-5-20251001-v1:0'],
    ['ap-southeast-2', 'claude-opus-4-6', 'au.anthropic.claude-opus-4-6-v1'],
    ['ap-northeast-1', 'claude-sonnet-4-0', 'apac.anthropic.claude-sonnet-4-20250514-v1:0'],
    ['sa-east-1', 'claude-opus-4-5', 'global.anthropic.claude-opus-4-5-20251101-v1:0'],
    ['us-west-2', 'claude-3-5-sonnet-latest', 'us.anthropic.claude-3-5-sonnet-20241022-v2:0'],
    ['us-west-2', 'claude-3-5-sonnet-20240620', 'us.anthropic.claude-3-5-sonnet-20240620-v1:0'],
    ['eu-west-1', 'claude-3-opus-20240229', 'anthropic.claude-3-opus-20240229-v1:0'],
  ])('in %s %s is %s: the narrowest profile of the region (ACC-16)', (region, name, id) => {
    expect(modelIdIn(region, name)).toBe(id)
  })

  test.each([
    'anthropic.claude-sonnet-4-5-20250929-v1:0',
    'global.anthropic.claude-sonnet-4-5-20250929-v1:0',
    'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc',
    'claude-unheard-of',
  ])('%s is nobody’s other name and passes as it is (ACC-16)', (id) => {
    expect(modelIdIn('eu-central-1', id)).toBe(id)
  })

  test('an id leads back to the name that its answers use, and to the model for counting (REL-10)', () => {
    expect(nameOfModelId('eu.anthropic.claude-sonnet-4-5-20250929-v1:0')).toBe('claude-sonnet-4-5-20250929')
    expect(nameOfModelId('us-gov.anthropic.claude-opus-4-6-v1')).toBe('claude-opus-4-6')
    expect(nameOfModelId('anthropic.claude-opus-5')).toBe('claude-opus-5')
    expect(nameOfModelId('arn:aws:bedrock:x')).toBe('arn:aws:bedrock:x')
    expect(withoutProfile('us.anthropic.claude-sonnet-4-20250514-v1:0')).toBe('anthropic.claude-sonnet-4-20250514-v1:0')
    expect(withoutProfile('anthropic.claude-opus-5')).toBe('anthropic.claude-opus-5')
  })

  test('every id that can come out has a price of Bedrock’s (BIL-2)', () => {
    const book = createPrices(builtInPrices()).bookFor(null)
    const ids = new Set(REGIONS.flatMap((region) => CLAUDE_NAMES.map((name) => modelIdIn(region, name))))
    const unpriced = [...ids].filter((model) => {
      const price = resolvePrice(book, { model, platform: 'bedrock', atMs: Date.UTC(2026, 10, 1) })
      return price === null
    })
    expect(ids.size).toBeGreaterThan(60)
    expect(unpriced).toEqual([])
  })
})
