import { expect, test } from 'vitest'
import { pause } from '../../src/wait.ts'
import { together } from '../../src/together.ts'
import { catchLabError } from '../support/catch-lab-error.ts'

test('returns what came of each, in the order of the items', async () => {
  await expect(together([30, 10, 20], async ms => await pause(ms).then(() => ms))).resolves.toEqual([30, 10, 20])
  await expect(together([], () => Promise.resolve())).resolves.toEqual([])
})

test('throws the first error when all have ended, and tells the others to', async () => {
  const ended: string[] = []
  const work = async (name: string, signal: AbortSignal): Promise<void> => {
    if (name === 'fails') throw new Error('the first')
    await pause(60_000, signal).catch(() => undefined)
    await pause(20) // what it must still do
    ended.push(name)
    throw new Error('a later one')
  }
  await expect(together(['replica1', 'fails', 'replica2'], work)).rejects.toThrow('the first')
  expect(ended).toEqual(['replica1', 'replica2'])
})

test('an interruption reaches all of them', async () => {
  const interrupt = new AbortController()
  const all = together([1, 2], async (_, signal) => await pause(60_000, signal), interrupt.signal)
  interrupt.abort()
  await catchLabError('INTERRUPTED', () => all)
})
