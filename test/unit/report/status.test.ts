import { describe, expect, test } from 'vitest'
import { slotRows, slotWarnings } from '../../../src/report/slots.ts'
import { narrateStatus } from '../../../src/report/status.ts'
import { statusWarnings } from '../../../src/report/status-warnings.ts'
import type { NodeStatus } from '../../../src/cluster/node-status.ts'
import { cellsOf, narrated } from '../../support/a-narrator.ts'
import { aPrimary, aSilentNode, aSlot, aStandby, lsn, senderTo } from '../../support/a-status.ts'

const MB = 1024 ** 2
const told = (...all: readonly NodeStatus[]): string[] => narrated(narrate => narrateStatus(narrate, all))

const well = [aPrimary('primary', ['replica1', 'replica2']), aStandby('replica1'), aStandby('replica2')]

describe('a cluster that is well', () => {
  test('is a line a node and a line a slot, and nothing is wrong', () => {
    const lines = told(...well)
    expect(cellsOf(lines, 'replica1')).toEqual([
      'replica1',
      'standby',
      '1',
      '0/3E8',
      'streaming',
      '0 bytes',
      '127.0.0.1:5432',
    ])
    expect(lines.slice(4)).toEqual([
      '',
      'slot      on       state   WAL       retains',
      'replica1  primary  active  reserved  0 bytes',
      'replica2  primary  active  reserved  0 bytes',
    ])
    expect(statusWarnings(well)).toEqual([])
  })
})

describe('a standby', () => {
  const cells = (standby: NodeStatus, ...others: readonly NodeStatus[]): string[] =>
    cellsOf(told(aPrimary('primary', ['replica1']), standby, ...others), standby.name)

  test('that is behind says how much, and whether it has received it', () => {
    expect(cells(aStandby('replica1', { receiveLsn: lsn(900), replayLsn: lsn(900) }))[5]).toBe('100 bytes')
    expect(cells(aStandby('replica1', { replayLsn: lsn(900) }))[5]).toBe('100 bytes, received')
  })

  test('on another timeline is not said to be any number of bytes behind', () => {
    expect(cells(aStandby('replica1', { timeline: 2 })).at(5)).toBe('on another timeline')
  })

  test('that cascades, is paused, or applies late says so', () => {
    const late = { replayPaused: true, recoveryMinApplyDelayMs: 90_000 }
    expect(cells(aStandby('replica1', late))[4]).toBe('streaming, replay paused, applies 90s late')
    const middle = aStandby('replica1', { replication: [senderTo('replica2')] })
    expect(cells(aStandby('replica2'), middle)[4]).toBe('streaming from replica1')
  })

  test('that streams from nobody who answers names the address', () => {
    expect(cellsOf(told(aSilentNode('primary'), aStandby('replica1')), 'replica1')[4]).toBe(
      'streaming from somewhere:5432',
    )
    expect(cells(aStandby('replica1', { walReceiver: null }))[4]).toBe('not streaming')
  })
})

describe('a primary', () => {
  test('counts its standbys apart from clones in the making, and from what is none of the cluster', () => {
    const sender = (name: string, state: string): ReturnType<typeof senderTo> => ({ ...senderTo(name), state })
    const replication = [senderTo('replica1'), sender('pg_basebackup', 'backup'), senderTo('pg_basebackup')]
    const cells = (more: ReturnType<typeof senderTo>[]): string | undefined =>
      cellsOf(
        told(aPrimary('primary', [], { replication: [...replication, ...more] }), aStandby('replica1')),
        'primary',
      )[4]
    expect(cells([])).toBe('1 standby, 1 clone in the making')
    expect(cells([senderTo('pg_receivewal'), sender('empty:replica2', 'startup')])).toBe(
      '1 standby, 1 clone in the making, 1 other',
    )
  })
})

describe('a slot', () => {
  const withSlot = (slot: Parameters<typeof aSlot>[1], replica1: NodeStatus = aStandby('replica1')): NodeStatus[] => [
    aPrimary('primary', [], {
      slots: [aSlot('replica1', slot)],
      currentLsn: lsn(2000 * MB),
      replication: replica1.role === 'standby' ? [senderTo('replica1')] : [],
    }),
    replica1,
  ]
  const retaining = (bytes: number, active = false): Parameters<typeof aSlot>[1] => ({
    ...{ active, restartLsn: lsn(2000 * MB - bytes), safeWalSize: 1024 * MB - bytes },
  })

  test('that retains little for a node that is down is no reason to warn', () => {
    const all = withSlot(retaining(100 * MB), aSilentNode('replica1'))
    expect(slotWarnings(all)).toEqual([])
    expect(slotRows(all)).toEqual([['replica1', 'primary', 'inactive', 'reserved', '100 MB']])
  })

  test('that retains much says for whom, why, and how far it is from being lost', () => {
    const all = withSlot(retaining(600 * MB), aSilentNode('replica1'))
    expect(slotRows(all)[0]?.at(-1)).toBe('600 MB of 1.0 GB')
    expect(slotWarnings(all)).toEqual([
      'slot replica1 on primary, the primary, retains 600 MB for replica1, which is stopped. After 424 MB more it outgrows max_slot_wal_keep_size (1.0 GB), and what replica1 lacks may be removed.',
    ])
    expect(slotWarnings(withSlot(retaining(600 * MB, true)))[0]).toContain('which streams, and is that far behind')
    expect(slotWarnings(withSlot(retaining(600 * MB), aStandby('replica1', { walReceiver: null })))[0]).toContain(
      'which does not stream',
    )
  })

  test('without a limit is limited by the disk', () => {
    const all = [
      {
        ...aPrimary('primary', []),
        ...withSlot({ ...retaining(600 * MB), safeWalSize: null })[0],
        maxSlotWalKeepSize: null,
      },
      aSilentNode('replica1'),
    ] as NodeStatus[]
    expect(slotWarnings(all)).toEqual([expect.stringContaining('Only the disk limits it')])
    expect(slotRows(all)[0]?.at(-1)).toBe('600 MB')
  })

  test('that is lost for a node which is the primary is needed by nobody', () => {
    const lost = aSlot('primary', { active: false, restartLsn: null, walStatus: 'lost' })
    const all = [aPrimary('primary', ['replica1']), aStandby('replica1', { slots: [lost] })]
    expect(slotWarnings(all)).toEqual([
      'slot primary on replica1 is lost, and nobody needs it: primary is the primary. pnpm run up drops it.',
    ])
  })

  test.each([
    ['lost', /is lost: WAL that replica1 lacks is gone\. pnpm run up clones replica1 anew\.$/],
    [
      'unreserved',
      /has outgrown max_slot_wal_keep_size \(1\.0 GB\): the next checkpoint may remove WAL that replica1 lacks/,
    ],
  ])('that is %s is warned of, with what follows', (walStatus, expected) => {
    const warnings = slotWarnings(withSlot({ active: false, restartLsn: null, walStatus }, aSilentNode('replica1')))
    expect(warnings).toEqual([expect.stringMatching(expected)])
  })

  test('left on a standby retains for nobody', () => {
    const former = aStandby('replica1', { slots: [aSlot('replica2', { active: false, restartLsn: lsn(400) })] })
    expect(slotWarnings([well[0]!, former, well[2]!])).toEqual([
      'slot replica2 on replica1, a standby, retains 600 bytes, and replica2 does not stream from it. pnpm run up drops it.',
    ])
  })

  test('that a standby uses to cascade is well, and the one it used before on the primary is not', () => {
    const middle = aStandby('replica1', { slots: [aSlot('replica2')], replication: [senderTo('replica2')] })
    const before = aSlot('replica2', { active: false, restartLsn: lsn(400) })
    const primary = aPrimary('primary', ['replica1'], { slots: [aSlot('replica1'), before] })
    expect(slotWarnings([primary, middle, aStandby('replica2')])).toEqual([
      expect.stringMatching(/^slot replica2 on primary.* retains 600 bytes for nobody: replica2 streams from replica1/),
    ])
    const without = aPrimary('primary', ['replica1'])
    expect(slotWarnings([without, middle, aStandby('replica2')])).toEqual([])
  })

  test.each(['physical', 'logical'] as const)(
    'of nobody in the cluster (%s) is named as that, not judged',
    slotType => {
      const slots = [...well[0]!.slots, aSlot('mine', { slotType, active: false, restartLsn: lsn(400) })]
      expect(slotWarnings([aPrimary('primary', ['replica1', 'replica2'], { slots }), well[1]!, well[2]!])).toEqual([
        "slot mine on primary belongs to no node of the cluster, and retains 600 bytes. If nobody needs it: SELECT pg_drop_replication_slot('mine')",
      ])
    },
  )

  test('that is missing on the primary is missed', () => {
    const primary = aPrimary('primary', ['replica1', 'replica2'], { slots: [aSlot('replica1')] })
    expect(slotWarnings([primary, well[1]!, aSilentNode('replica2')])).toEqual([
      'primary, the primary, has no slot for replica2. pnpm run up makes it.',
    ])
  })
})
