import { expect, test } from 'vitest'
import { compareVersions } from '../../../src/runtime/binaries.ts'

test('17.10 is newer than 17.9, and 18 than both', () => {
  expect(['17.9', '18.0', '17.10', '15.18', '17.2'].sort(compareVersions)).toEqual([
    '15.18',
    '17.2',
    '17.9',
    '17.10',
    '18.0',
  ])
})
