import { expect, test } from 'vitest'
import { besides } from '../../../src/report/failover.ts'

const nothing = { preparedTransactions: 0, sequences: 0, unloggedTables: 0, logicalSlotsGone: [] }

test.each([
  [null, []],
  [nothing, []],
  [{ ...nothing, sequences: 1 }, ['1 sequence may have jumped by up to 32 values']],
  [
    { ...nothing, sequences: 2, unloggedTables: 1 },
    ['2 sequences may have jumped by up to 32 values', '1 unlogged table emptied: unlogged data is on no standby'],
  ],
  [
    { ...nothing, preparedTransactions: 3 },
    ['3 prepared transactions left, with locks: COMMIT PREPARED or ROLLBACK PREPARED'],
  ],
  [{ ...nothing, logicalSlotsGone: ['a', 'b'] }, ['logical slots gone with the old primary: a, b']],
])('what a promotion changes besides is told where it applies: %j', (after, lines) => {
  expect(besides(after)).toEqual(lines)
})
