import { expect, test } from 'vitest'
import { acknowledgedBy } from '../../../src/experiments/woken.ts'
import type { Outcome, Write } from '../../../src/history/history.ts'
import { predictedTakeover } from '../../../src/stack/lease.ts'

const write = (id: number, server: string, settledAt: number, outcome: Outcome = { kind: 'acknowledged' }): Write => ({
  ...{ id, server, settledAt, outcome, dueAt: 0, sentAt: 0 },
})

test('a node has acknowledged what it answered after the instant, and nothing that another did or nobody', () => {
  const writes = [
    write(1, 'primary', 5),
    write(2, 'primary', 15),
    write(3, 'replica1', 15),
    write(4, 'primary', 16, { kind: 'indeterminate', code: 'ETIMEDOUT' }),
    write(5, 'primary', 17),
  ]
  const history = { run: 'run', writes, connectionErrors: [], startedAt: 0, stoppedAt: 20 }
  expect(acknowledgedBy(history, { node: 'primary', since: 10 })).toEqual([2, 5])
})

test('a lease ends within ttl of the last renewal, and is taken within a loop', () => {
  expect(predictedTakeover({ ttl: 30, loopWait: 10, retryTimeout: 10 })).toEqual({ fromMs: 20_000, toMs: 40_000 })
})
