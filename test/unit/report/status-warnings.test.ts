import { describe, expect, test } from 'vitest'
import type { NodeStatus } from '../../../src/cluster/node-status.ts'
import { statusProblems, statusRemarks, statusWarnings } from '../../../src/report/status-warnings.ts'
import { aPrimary, aSilentNode, aSlot, aStandby, lsn, senderTo } from '../../support/a-status.ts'

const well = [aPrimary('primary', ['replica1', 'replica2']), aStandby('replica1'), aStandby('replica2')]
const none = { maxLag: undefined, maxRetained: undefined }

describe('roles', () => {
  test('without a primary, or with two, are warned of', () => {
    expect(statusWarnings([aStandby('replica1')])).toEqual([
      expect.stringMatching(/^no node accepts writes; pnpm run up/),
    ])
    const unasked = { ...aSilentNode('primary'), state: 'running' } as NodeStatus
    expect(statusWarnings([unasked, aStandby('replica1')])[0]).toMatch(
      /^no node that answers accepts writes; whether primary does cannot be told/,
    )
    const two = [aPrimary('primary', []), aPrimary('replica1', [])]
    expect(statusWarnings(two)).toEqual([
      expect.stringMatching(/^more than one node accepts writes: primary, replica1;/),
    ])
  })
})

describe('a standby that is not as it should be', () => {
  const primary = aPrimary('primary', ['replica1'])
  const silent = { walReceiver: null }

  test('is warned of, with what is known of the reason, and what helps', () => {
    const all = [primary, aStandby('replica1'), aStandby('replica2', silent)]
    expect(statusWarnings(all)).toContain('replica2 streams from no node that answers; pnpm run up brings it back')
    expect(statusWarnings(all, { replica2: 'their histories part at 0/9' })).toContain(
      'replica2 streams from no node that answers: their histories part at 0/9; pnpm run up brings it back',
    )
    expect(statusWarnings([primary, aStandby('replica1')], { replica1: 'PostgreSQL has paused its replay' })).toEqual([
      'replica1 applies nothing: PostgreSQL has paused its replay',
    ])
  })

  test('on a timeline that the primary has not, is one of another history', () => {
    expect(statusWarnings([primary, aStandby('replica2', { ...silent, timeline: 2 })])[0]).toBe(
      "replica2 streams from no node that answers, and is on timeline 2, newer than the primary's 1; pnpm run up brings it back",
    )
  })
})

describe('what commits wait for', () => {
  const warned = (status: Parameters<typeof aPrimary>[2]): string[] =>
    statusWarnings([aPrimary('primary', ['replica1'], status), aStandby('replica1')])
  const served = { replication: [{ ...senderTo('replica1'), syncState: 'sync' }] }

  test.each([
    [{ synchronousStandbyNames: 'FIRST 1 (replica1)' }, /none is connected: every write hangs/],
    [{ synchronousStandbyNames: 'FIRST 1 (replica1)', synchronousCommit: 'local' }, /commits wait for no standby/],
    [{ synchronousCommit: 'remote_apply' }, /commits wait for no standby: synchronous_standby_names is empty/],
  ])('is warned of where it is not what it seems: %j', (status, expected) => {
    expect(warned(status)).toEqual([expect.stringMatching(expected)])
  })

  test.each([{}, { synchronousCommit: 'off' }, { synchronousStandbyNames: 'ANY 1 (*)', ...served }])(
    'is not worth a word: %j',
    status => {
      expect(warned(status)).toEqual([])
    },
  )
})

describe('a tablespace outside the data directory', () => {
  test('is warned of', () => {
    const tablespaces = [{ spcname: 't', location: '/x' }]
    expect(statusWarnings([aPrimary('primary', ['replica1'], { tablespaces }), aStandby('replica1')])).toEqual([
      expect.stringMatching(/^tablespace t is at \/x on every node/),
    ])
  })
})

describe('a prepared transaction', () => {
  test('is warned of: it lives through a promotion, and nobody has it', () => {
    const warned = (preparedTransactions: number): string[] =>
      statusWarnings([aPrimary('primary', ['replica1'], { preparedTransactions }), aStandby('replica1')])
    expect(warned(0)).toEqual([])
    expect(warned(1)).toEqual([
      expect.stringMatching(
        /^primary has 1 prepared transaction \(pg_prepared_xacts\), with locks that live through a promotion/,
      ),
    ])
    expect(warned(2)).toEqual([expect.stringMatching(/^primary has 2 prepared transactions \(/)])
  })
})

describe('what a promotion would take away', () => {
  const changes = aSlot('changes', { slotType: 'logical' })

  test('is told, and is nothing wrong', () => {
    const all = [
      aPrimary('primary', ['replica1'], { unloggedTables: 2, slots: [aSlot('replica1'), changes] }),
      well[1]!,
    ]
    expect(statusRemarks(all)).toEqual([
      'a promotion would empty 2 unlogged tables and leave behind logical slot changes, which only primary has',
    ])
    expect(statusProblems(all, none).filter(problem => problem.includes('unlogged'))).toEqual([])
    expect(statusRemarks(well)).toEqual([])
  })

  test('is no slot that a standby has a copy of', () => {
    const slots = [aSlot('replica1'), changes]
    expect(
      statusRemarks([aPrimary('primary', ['replica1'], { slots }), aStandby('replica1', { slots: [changes] })]),
    ).toEqual([])
  })
})

describe('a node that is cloned', () => {
  test('is said to be, where somebody sends a base backup', () => {
    const replication = [{ ...senderTo('pg_basebackup'), state: 'backup' }]
    const problems = statusProblems(
      [aPrimary('primary', [], { replication }), aSilentNode('replica1', 'running')],
      none,
    )
    expect(problems).toContainEqual(
      expect.stringContaining('replica1 is running, and is being cloned, it seems: connect'),
    )
    const others = statusProblems([aPrimary('primary', []), aSilentNode('replica1', 'running')], none)
    expect(others.join('\n')).not.toContain('cloned')
  })
})

describe('a check', () => {
  test('finds nothing where all is well, and what is past a limit', () => {
    expect(statusProblems(well, none)).toEqual([])
    const late = [aPrimary('primary', ['replica1']), aStandby('replica1', { replayLsn: lsn(900) })]
    expect(statusProblems(late, { ...none, maxLag: 100 })).toEqual([])
    expect(statusProblems(late, { ...none, maxLag: 99 })).toEqual(['replica1 is 100 bytes behind, more than 99 bytes'])
    const held = [
      aPrimary('primary', ['replica1'], { slots: [aSlot('replica1', { restartLsn: lsn(0) })] }),
      aStandby('replica1'),
    ]
    expect(statusProblems(held, { ...none, maxRetained: 999 })).toEqual([
      'slot replica1 on primary retains 1000 bytes, more than 999 bytes',
    ])
  })

  test('names every node that does not answer', () => {
    const all = [aPrimary('primary', ['replica1', 'replica2']), aStandby('replica1'), aSilentNode('replica2')]
    expect(statusProblems(all, none)).toEqual(['replica2 is stopped: connect ECONNREFUSED'])
  })
})
