import { expect, test } from 'vitest'
import { interrupted, LabError } from '../../../src/errors.ts'
import { wasInterrupted } from '../../../src/experiments/interruption.ts'

const suppressed = (suppressedError: unknown): Error =>
  Object.assign(new Error('while disposing'), { name: 'SuppressedError', suppressed: suppressedError })

test('an error is an interruption when the user has ended the run, or when it says so itself, under whatever was thrown on top', () => {
  const lost = new LabError('UNREACHABLE', 'gone')
  expect(wasInterrupted(lost, AbortSignal.abort())).toBe(true)
  expect(wasInterrupted(interrupted(), undefined)).toBe(true)
  expect(wasInterrupted(suppressed(interrupted()), new AbortController().signal)).toBe(true)
  expect(wasInterrupted(lost, undefined)).toBe(false)
  expect(wasInterrupted(suppressed(lost), new AbortController().signal)).toBe(false)
})
