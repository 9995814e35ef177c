import { describe, expect, test } from 'vitest'
import { codeOf, isLabError, LabError, labErrorCodes, messageOf, throwIfInterrupted } from '../../src/errors.ts'

describe('LabError', () => {
  test('carries its code, its hint and its cause', () => {
    const cause = new Error('why')
    const error = new LabError('INTERRUPTED', 'another command runs', { hint: 'Wait for it.', cause })
    expect(error).toMatchObject({ name: 'LabError', code: 'INTERRUPTED', hint: 'Wait for it.', cause })
    expect(error.message).toBe('another command runs')
  })

  test('has no cause property where there was no cause', () => {
    expect('cause' in new LabError('INTERRUPTED', 'another command runs')).toBe(false)
  })

  test('is told from other errors, and by its code', () => {
    const error: unknown = new LabError('INTERRUPTED', 'another command runs')
    expect(isLabError(error)).toBe(true)
    expect(isLabError(error, 'INTERRUPTED')).toBe(true)
    expect(isLabError(error, 'TIMEOUT')).toBe(false)
    expect(isLabError(Object.assign(new Error('not ours'), { code: 'INTERRUPTED' }), 'INTERRUPTED')).toBe(false)
  })

  test('has a meaning written down for every code, in the style of a message', () => {
    for (const meaning of Object.values(labErrorCodes)) expect(meaning).toMatch(/^([a-z]|PostgreSQL|Docker).*[^.]$/)
  })
})

describe('errors of others', () => {
  test('speak in one line, an AggregateError without a message through its first error', () => {
    expect(messageOf(new Error('refused'))).toBe('refused')
    expect(messageOf('text')).toBe('text')
    expect(messageOf(new AggregateError([new Error('::1 refused'), new Error('127.0.0.1 refused')]))).toBe(
      '::1 refused',
    )
    expect(messageOf(new AggregateError([new Error('inner')], 'outer'))).toBe('outer')
  })

  test('give their code, if it is text', () => {
    const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
    expect(codeOf(refused)).toBe('ECONNREFUSED')
    expect(codeOf(new AggregateError([refused]))).toBe('ECONNREFUSED')
    expect(codeOf(Object.assign(new AggregateError([refused]), { code: 'ETIMEDOUT' }))).toBe('ETIMEDOUT')
    expect(codeOf(Object.assign(new Error('exit'), { code: 1 }))).toBeUndefined()
    for (const other of [new Error('none'), null, undefined, 'text']) expect(codeOf(other)).toBeUndefined()
  })
})

describe('throwIfInterrupted', () => {
  test('does nothing while the signal has not fired, or there is none', () => {
    expect(() => {
      throwIfInterrupted(new AbortController().signal)
      throwIfInterrupted(undefined)
    }).not.toThrow()
  })

  test('throws INTERRUPTED with the reason as its cause', () => {
    const reason = new Error('Ctrl-C')
    expect(() => {
      throwIfInterrupted(AbortSignal.abort(reason))
    }).toThrow(expect.objectContaining({ code: 'INTERRUPTED', cause: reason }))
  })

  test('throws a LabError that was the reason as it is', () => {
    const reason = new LabError('TIMEOUT', 'too long')
    expect(() => {
      throwIfInterrupted(AbortSignal.abort(reason))
    }).toThrow(reason)
  })
})
