import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { askAgain } from '../../../src/runtime/runtime.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }))
afterEach(() => void vi.useRealTimers())

test('a server that does not end is asked again, whatever became of the last time, until nobody waits for it', async () => {
  const ask = vi.fn(() => Promise.reject(new Error('it is not there')))
  {
    await using _ = askAgain(ask)
    expect(ask).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(2_500)
    expect(ask).toHaveBeenCalledTimes(2)
  }
  await vi.advanceTimersByTimeAsync(5_000)
  expect(ask).toHaveBeenCalledTimes(2)
})

test('once nobody waits for it, no question is under way that would reach a server started after it', async () => {
  let answer = (): void => undefined
  let isAnswered = false
  {
    await using _ = askAgain(() => new Promise<void>(resolve => (answer = resolve)))
    await vi.advanceTimersByTimeAsync(1_100)
    setImmediate(() => {
      isAnswered = true
      answer()
    })
  }
  expect(isAnswered).toBe(true)
})
