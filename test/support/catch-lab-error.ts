import { expect } from 'vitest'
import { LabError, type LabErrorCode } from '../../src/errors.ts'

/** Runs `work`, which must throw a LabError of that code with a message and a hint in the house style, and returns it. */
export async function catchLabError(code: LabErrorCode, work: () => unknown): Promise<LabError> {
  let thrown: unknown
  try {
    await work()
  } catch (error) {
    thrown = error
  }
  expect(thrown, 'it must throw a LabError').toBeInstanceOf(LabError)
  const error = thrown as LabError
  expect(error.code).toBe(code)
  expect(error.message, 'a fact, without a full stop').toMatch(/[^.]$/)
  if (error.hint !== undefined)
    expect(error.hint, 'a sentence that says what to do').toMatch(/^([A-Z]|docker |pnpm ).*\.$/s)
  return error
}
