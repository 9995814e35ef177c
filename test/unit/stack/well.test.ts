import { expect, test } from 'vitest'
import { inOneLook } from '../../../src/stack/well.ts'
import { met, notMet, waitUntil, type Condition } from '../../../src/wait.ts'

test('what depends on who leads is asked of who leads now, not of who led when it was waited for first', async () => {
  const leaders = ['replica2', 'primary', 'primary']
  const asked: string[] = []
  const leads: Condition<string> = { what: 'a leader', observe: async () => met(leaders.shift() ?? 'primary') }
  const ledTo = (node: string): Condition<undefined> => ({
    what: `a way to ${node}`,
    observe: async () => {
      asked.push(node)
      return node === 'primary' ? met(undefined) : notMet('it leads to primary')
    },
  })
  const both = inOneLook(leads, node => [ledTo(node)])
  expect(await both.observe(new AbortController().signal)).toEqual(
    notMet('a way to replica2 is waited for: it leads to primary'),
  )
  expect(await waitUntil(both, { timeoutMs: 5_000, intervalMs: 1 })).toBe('primary')
  expect(asked).toEqual(['replica2', 'primary'])
})
