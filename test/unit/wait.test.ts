import { describe, expect, test } from 'vitest'
import { met, notMet, pause, seconds, waitUntil, type Condition, type Observation } from '../../src/wait.ts'
import { catchLabError } from '../support/catch-lab-error.ts'

/** A condition that tells what `look` says of each look, counted from 1. */
const looking = (
  look: (count: number, signal: AbortSignal) => Observation<string>,
): Condition<string> & { looks: number } => ({
  what: 'replica1 to be promoted',
  looks: 0,
  observe(signal) {
    this.looks++
    return Promise.resolve().then(() => look(this.looks, signal))
  },
})

/** Never settles by itself; rejects as node's own functions do when the signal fires. */
const stuck: Condition<never> = {
  what: 'replica1 to answer',
  observe: signal =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        reject(signal.reason as Error)
      })
    }),
}

describe('waitUntil', () => {
  test('returns the value of the first look that meets the condition, and looks no more', async () => {
    const condition = looking(count => (count < 3 ? notMet(`look ${count}`) : met(`promoted at look ${count}`)))
    await expect(waitUntil(condition, { timeoutMs: 5000, intervalMs: 1 })).resolves.toBe('promoted at look 3')
    expect(condition.looks).toBe(3)
  })

  test('looks at once, even with no time to wait', async () => {
    await expect(
      waitUntil(
        looking(() => met('there')),
        { timeoutMs: 1 },
      ),
    ).resolves.toBe('there')
  })

  test('says for what it waited, how long, and what it last saw', async () => {
    const condition = looking(count => notMet(`replayed 0/${count}`))
    const error = await catchLabError('TIMEOUT', () =>
      waitUntil(condition, { timeoutMs: 30, intervalMs: 1, hint: 'See pnpm run status.' }),
    )
    expect(condition.looks).toBeGreaterThan(1)
    expect(error.message).toBe(`waited 30 ms for replica1 to be promoted; last seen: replayed 0/${condition.looks}`)
    expect(error.hint).toBe('See pnpm run status.')
  })

  test('keeps what was seen before the look that the time limit cut short', async () => {
    const condition: Condition<never> = {
      what: 'replica1 to answer',
      observe: (() => {
        let looks = 0
        return signal => (++looks === 1 ? Promise.resolve(notMet('it is starting up')) : stuck.observe(signal))
      })(),
    }
    const error = await catchLabError('TIMEOUT', () => waitUntil(condition, { timeoutMs: 20, intervalMs: 1 }))
    expect(error.message).toBe('waited 20 ms for replica1 to answer; last seen: it is starting up')
  })

  test('says that it saw nothing where the first look never ended', async () => {
    const error = await catchLabError('TIMEOUT', () => waitUntil(stuck, { timeoutMs: 20 }))
    expect(error.message).toContain('last seen: nothing yet')
  })

  test('ends in time although a look ignores its signal', { timeout: 2000 }, async () => {
    const deaf: Condition<never> = { what: 'an answer', observe: () => new Promise(() => undefined) }
    await catchLabError('TIMEOUT', () => waitUntil(deaf, { timeoutMs: 20 }))
  })

  test('its limit does not end what a look has begun, and goes on after the wait', async () => {
    let begun: AbortSignal | undefined
    const condition = looking((_, signal) => {
      begun = signal
      return met('there')
    })
    await waitUntil(condition, { timeoutMs: 1 })
    await pause(200)
    expect(begun?.aborted).toBe(false)
  })

  test('does not look when the signal has fired before', async () => {
    const condition = looking(() => met('there'))
    await catchLabError('INTERRUPTED', () => waitUntil(condition, { timeoutMs: 5000, signal: AbortSignal.abort() }))
    expect(condition.looks).toBe(0)
  })

  test('is interrupted between two looks, long before the next', async () => {
    const interruption = new AbortController()
    const condition = looking(() => {
      setImmediate(() => {
        interruption.abort()
      })
      return notMet('nothing')
    })
    const begun = performance.now()
    const waiting = waitUntil(condition, { timeoutMs: 60_000, intervalMs: 30_000, signal: interruption.signal })
    await catchLabError('INTERRUPTED', () => waiting)
    expect(performance.now() - begun).toBeLessThan(5000)
    expect(condition.looks).toBe(1)
  })

  test('is interrupted during a look, whatever the look throws then', async () => {
    const interruption = new AbortController()
    setImmediate(() => {
      interruption.abort()
    })
    await catchLabError('INTERRUPTED', () => waitUntil(stuck, { timeoutMs: 60_000, signal: interruption.signal }))
  })

  test('passes on an error of the condition, unchanged and at once', async () => {
    const failure = new Error('out of memory')
    const condition = looking(() => {
      throw failure
    })
    await expect(waitUntil(condition, { timeoutMs: 60_000 })).rejects.toBe(failure)
    expect(condition.looks).toBe(1)
  })

  test('looks again at the end of the time, though the interval is longer', async () => {
    const condition = looking(count => (count === 1 ? notMet('not yet') : met('there')))
    await expect(waitUntil(condition, { timeoutMs: 30, intervalMs: 1000 })).resolves.toBe('there')
  })
})

describe('pause', () => {
  test('is cut short by the signal, with INTERRUPTED', async () => {
    await catchLabError('INTERRUPTED', () => pause(60_000, AbortSignal.abort()))
  })

  test('lets the time pass', async () => {
    const begun = performance.now()
    await pause(20)
    expect(performance.now() - begun).toBeGreaterThanOrEqual(18)
  })
})

test('spans read as people write them', () => {
  expect([0, 250, 999, 1000, 1500, 30_000, 90_000].map(seconds)).toEqual([
    '0 ms',
    '250 ms',
    '999 ms',
    '1 s',
    '1.5 s',
    '30 s',
    '90 s',
  ])
})
