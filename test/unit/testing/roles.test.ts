import { expect, test } from 'vitest'
import { takesOver } from '../../../src/testing/roles.ts'

const [alone, beside] = [{ isAlone: true }, { isAlone: false }]
const now = { node: 'replica1', timeline: 2 }

test.each([
  ['a newer timeline', { node: 'replica2', timeline: 3 }, beside, true],
  ['the same node on a newer timeline', { node: 'replica1', timeline: 3 }, beside, true],
  ['an older timeline, even alone', { node: 'primary', timeline: 1 }, alone, false],
  ['the same number, chosen by another promotion, alone', { node: 'replica2', timeline: 2 }, alone, true],
  ['the same number beside one that accepts writes', { node: 'replica2', timeline: 2 }, beside, false],
  ['itself', { node: 'replica1', timeline: 2 }, alone, false],
] as const)('an address goes, or does not go, to the node with %s', (_, candidate, how, expected) => {
  expect(takesOver(candidate, now, how)).toBe(expected)
})
