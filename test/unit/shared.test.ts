import { describe, expect, test } from 'vitest'
import { Shared, unlessInterrupted } from '../../src/shared.ts'
import { catchLabError } from '../support/catch-lab-error.ts'

/** Work that ends when the test says so, and which heeds its signal. */
function controlled(): {
  readonly shared: Shared<string>
  readonly runs: { readonly signal: AbortSignal; end(value: string): void; fail(error: Error): void }[]
} {
  const runs: { signal: AbortSignal; end(value: string): void; fail(error: Error): void }[] = []
  const shared = new Shared<string>(
    signal =>
      new Promise((resolve, reject) => {
        runs.push({ signal, end: resolve, fail: reject })
        signal.addEventListener('abort', () => reject(new Error('given up')))
      }),
  )
  return { shared, runs }
}

describe('shared work', () => {
  test('is done once for all who want it at the same time, and anew for whoever asks later', async () => {
    const { shared, runs } = controlled()
    const all = Promise.all([shared.join(), shared.join(new AbortController().signal), shared.join()])
    runs[0]?.end('connected')
    await expect(all).resolves.toEqual(['connected', 'connected', 'connected'])
    const later = shared.join()
    runs[1]?.end('connected anew')
    await expect(later).resolves.toBe('connected anew')
    expect(runs).toHaveLength(2)
  })

  test('goes on for the others when the first who wanted it leaves', async () => {
    const { shared, runs } = controlled()
    const interrupt = new AbortController()
    const first = shared.join(interrupt.signal)
    const second = shared.join()
    interrupt.abort()
    await catchLabError('INTERRUPTED', () => first)
    expect(runs[0]?.signal.aborted).toBe(false)
    runs[0]?.end('connected')
    await expect(second).resolves.toBe('connected')
  })

  test('is given up when the last has left, and begun anew for the next', async () => {
    const { shared, runs } = controlled()
    const interrupts = [new AbortController(), new AbortController()]
    const left = interrupts.map(({ signal }) => catchLabError('INTERRUPTED', () => shared.join(signal)))
    interrupts[0]?.abort()
    expect(runs[0]?.signal.aborted).toBe(false)
    interrupts[1]?.abort()
    await Promise.all(left)
    expect(runs[0]?.signal.aborted).toBe(true)
    const next = shared.join()
    runs[1]?.end('connected')
    await expect(next).resolves.toBe('connected')
  })

  test('fails for all who wait for it', async () => {
    const { shared, runs } = controlled()
    const all = [shared.join(), shared.join()]
    runs[0]?.fail(new Error('refused'))
    for (const one of all) await expect(one).rejects.toThrow('refused')
  })

  test('is not begun for one whose signal has fired', async () => {
    const { shared, runs } = controlled()
    await catchLabError('INTERRUPTED', () => shared.join(AbortSignal.abort()))
    expect(runs).toHaveLength(0)
  })
})

test('a wait that is interrupted leaves no listener, nor does one that is not', async () => {
  const { signal } = new AbortController()
  let listeners = 0
  const counted = Object.assign(signal, {
    addEventListener: () => listeners++,
    removeEventListener: () => listeners--,
  })
  await unlessInterrupted(Promise.resolve(1), counted)
  await expect(unlessInterrupted(Promise.reject(new Error('refused')), counted)).rejects.toThrow('refused')
  expect(listeners).toBe(0)
})
