import { describe, expect, test } from 'vitest'
import {
  formatBytes,
  formatCount,
  formatMs,
  formatTable,
  formatLagMs,
  formatSeenMs,
} from '../../../src/report/format.ts'

describe('figures as people read them', () => {
  test.each([
    [0.417, '0.42 ms'],
    [41.23, '41.2 ms'],
    [154.4, '154 ms'],
    [1314, '1.31 s'],
  ])('%d ms is %s', (ms, text) => {
    expect(formatMs(ms)).toBe(text)
  })

  test.each([
    [0, '0 bytes'],
    [1023, '1023 bytes'],
    [8192, '8.0 kB'],
    [16 * 1024 * 1024, '16 MB'],
    [5 * 1024 ** 4, '5120 GB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })

  test('counts have their thousands marked', () => {
    expect(formatCount(1_204)).toBe('1,204')
  })

  test('columns are aligned, numbers to the right', () => {
    expect(
      formatTable([
        ['node', 'rows'],
        ['primary', 9],
        ['r', 103],
      ]),
    ).toEqual(['node     rows', 'primary     9', 'r         103'])
  })
})

test.each([
  [0, 1.7, '< 1.7 ms'],
  [1.69, 1.7, '< 1.7 ms'],
  [1.7, 1.7, '1.7 ms'],
  [0, undefined, '0.00 ms'],
] as const)('%s ms, looked at every %s ms, is %s', (ms, resolutionMs, text) => {
  expect(formatSeenMs(ms, resolutionMs)).toBe(text)
})

test('a lag of nothing is less than the age of the look, and any other is as it was seen', () => {
  expect(formatLagMs({ ms: 0, sampleAgeMs: 33.6 })).toBe('< 33.6 ms')
  expect(formatLagMs({ ms: 2, sampleAgeMs: 33.6 })).toBe('2.0 ms')
})
