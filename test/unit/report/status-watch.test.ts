import { describe, expect, test } from 'vitest'
import type { NodeStatus } from '../../../src/cluster/node-status.ts'
import { statusChanges } from '../../../src/report/status-changes.ts'
import type { Style } from '../../../src/report/terminal.ts'
import { watchLines, type WatchView } from '../../../src/report/watch.ts'
import { aPrimary, aSilentNode, aSlot, aStandby, lsn } from '../../support/a-status.ts'

const plain: Style = { accent: String, dim: String, loss: String, bold: String }
const nodes = [aPrimary('primary', ['replica1', 'replica2']), aStandby('replica1'), aStandby('replica2')]
const noon = (second: number): Date => new Date(2026, 0, 1, 12, 3, second)
const change = (second: number): { at: Date; text: string } => ({ at: noon(second), text: `change ${second}` })
const aView = (view: Partial<WatchView> = {}): WatchView => ({
  ...{ at: noon(4), what: 'local, every 500 ms', nodes, behindFor: {}, reasons: {}, changes: [], news: [] },
  ...view,
})

describe('a frame', () => {
  test('shows nodes, slots, what is wrong, and the last changes under them', () => {
    const view = aView({
      nodes: [...nodes.slice(0, 2), aSilentNode('replica2')],
      changes: [{ at: noon(2), text: 'replica2 is stopped' }],
    })
    expect(watchLines(view, { columns: 120, rows: 40 }, plain)).toEqual([
      '12:03:04  local, every 500 ms; q quits',
      'node      role         timeline  LSN    replication  behind   address',
      'primary   primary             1  0/3E8  2 standbys            127.0.0.1:5432',
      'replica1  standby             1  0/3E8  streaming    0 bytes  127.0.0.1:5432',
      'replica2  unreachable                                         127.0.0.1:5432',
      '',
      'slot      on       state   WAL       retains',
      'replica1  primary  active  reserved  0 bytes',
      'replica2  primary  active  reserved  0 bytes',
      '',
      'replica2 is stopped: connect ECONNREFUSED',
      '',
      'seen to change',
      '12:03:02 replica2 is stopped',
    ])
  })

  test('says for how long a standby has been behind, when it is', () => {
    const behind = aStandby('replica1', { replayLsn: lsn(400) })
    const view = aView({ nodes: [nodes[0]!, behind], behindFor: { replica1: 2100 } })
    expect(watchLines(view, { columns: 120, rows: 40 }, plain)[3]).toContain('600 bytes, for over 2.10 s, received')
    const caughtUp = aView({ behindFor: { replica1: 0 } })
    expect(watchLines(caughtUp, { columns: 120, rows: 40 }, plain)[3]).not.toContain('for over')
  })

  test.each([
    [1, 1],
    [2, 3],
    [20, 2],
    [33, 8],
    [80, 12],
    [200, 100],
  ])('fits into %d columns and %d rows', (columns, rows) => {
    const view = aView({ changes: Array.from({ length: 50 }, (_, second) => change(second)) })
    const lines = watchLines(view, { columns, rows }, plain)
    expect(lines.length).toBeLessThanOrEqual(rows)
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(columns)
  })

  test('that is too low leaves out the oldest changes, then what is farthest down, and says so', () => {
    const view = aView({ changes: [change(1), change(2), change(3)] })
    expect(watchLines(view, { columns: 80, rows: 13 }, plain).slice(-3)).toEqual([
      'seen to change',
      '12:03:02 change 2',
      '12:03:03 change 3',
    ])
    const low = watchLines(view, { columns: 80, rows: 6 }, plain)
    expect(low).toHaveLength(6)
    expect(low.at(-1)).toBe('…')
    expect(low[4]).toMatch(/^replica2 /)
  })

  test('says why a standby streams from nobody, once that is known', () => {
    const without = [nodes[0]!, aStandby('replica1', { walReceiver: null }), nodes[2]!]
    const view = aView({ nodes: without, reasons: { replica1: 'WAL that it needs is gone' } })
    expect(watchLines(view, { columns: 160, rows: 40 }, plain).at(-1)).toBe(
      'replica1 streams from no node that answers: WAL that it needs is gone; pnpm run up brings it back',
    )
  })

  test('is styled after it was cut, so that no control sequence is', () => {
    const marked: Style = { ...plain, dim: text => `<${text}>`, accent: text => `[${text}]` }
    const [clock, , primary] = watchLines(aView(), { columns: 10, rows: 40 }, marked)
    expect(clock).toBe('<12:03:04 …>')
    expect(primary).toBe('[primary  …]')
  })

  test('lets no message move the cursor', () => {
    const silent = { ...aSilentNode('replica2'), reason: 'two\nlines\x1b[2J' } as NodeStatus
    const lines = watchLines(aView({ nodes: [nodes[0]!, silent] }), { columns: 80, rows: 40 }, plain)
    expect(lines).toContain('replica2 is stopped: two lines [2J')
  })
})

describe('what changed', () => {
  test('is nothing while only positions change', () => {
    expect(statusChanges(nodes, [nodes[0]!, nodes[1]!, aStandby('replica2', { replayLsn: lsn(1) })])).toEqual([])
  })

  test('is told from a crash to the promotion and back', () => {
    const without = { walReceiver: null }
    const crashed = [aSilentNode('primary'), aStandby('replica1', without), aStandby('replica2', without)]
    const promoted = [
      aSilentNode('primary'),
      aPrimary('replica1', ['replica2'], { timeline: 2 }),
      aStandby('replica2', { timeline: 2 }),
    ]
    const back = [
      aStandby('primary', { timeline: 2 }),
      aPrimary('replica1', ['primary', 'replica2'], { timeline: 2 }),
      promoted[2]!,
    ]
    expect(statusChanges(nodes, crashed)).toEqual([
      'primary is stopped',
      'replica1 does not stream',
      'replica2 does not stream',
    ])
    expect(statusChanges(crashed, promoted)).toEqual([
      'replica1 is the primary on timeline 2',
      'replica2 is a standby on timeline 2',
      'replica2 streams from replica1',
    ])
    expect(statusChanges(promoted, back)).toEqual([
      'primary is a standby on timeline 2',
      'primary streams from replica1',
    ])
  })

  test('is also a paused replay, a lost slot, a node that stands still, and one that came or went', () => {
    const paused = [nodes[0]!, aStandby('replica1', { replayPaused: true }), nodes[2]!]
    expect(statusChanges(nodes, paused)).toEqual(['replay is paused on replica1'])
    expect(statusChanges(paused, nodes)).toEqual(['replay goes on on replica1'])
    const slots = [aSlot('replica1', { walStatus: 'lost' }), aSlot('replica2')]
    expect(
      statusChanges(nodes, [aPrimary('primary', ['replica1', 'replica2'], { slots }), nodes[1]!, nodes[2]!]),
    ).toEqual(['slot replica1 on primary is lost'])
    expect(statusChanges(nodes, [nodes[0]!, nodes[1]!, aSilentNode('replica2', 'frozen')])).toEqual([
      'replica2 is frozen',
    ])
    expect(statusChanges(nodes, nodes.slice(0, 2))).toEqual(['replica2 is no node of the cluster any more'])
    expect(statusChanges(nodes.slice(0, 2), nodes)).toEqual(['replica2 is a standby on timeline 1'])
  })
})
