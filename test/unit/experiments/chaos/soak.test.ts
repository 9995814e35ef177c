import { describe, expect, test } from 'vitest'
import { LabError } from '../../../../src/errors.ts'
import { verdictOf } from '../../../../src/experiments/chaos/soak.ts'

describe('the verdict of a round', () => {
  const interrupted = new LabError('INTERRUPTED', 'interrupted')
  const unsupported = new LabError('UNSUPPORTED_FAULT', 'not here')

  test.each([
    ['held', { played: {}, error: undefined }],
    ['held', { played: { refusal: 'NOT_READY: no' }, error: undefined }],
    ['not-struck', { played: { missed: 'too late' }, error: undefined }],
    ['not-struck', { played: { missed: 'too late', refusal: 'ABORTED: no' }, error: undefined }],
    ['skipped', { played: undefined, error: unsupported }],
    ['interrupted', { played: undefined, error: interrupted }],
  ] as const)('is %s only for what was done, and held', (verdict, run) => {
    expect(verdictOf([], run)).toBe(verdict)
    expect(verdictOf(['a problem'], run)).toBe('failed')
  })
})
