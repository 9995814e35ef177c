import { describe, expect, test } from 'vitest'
import { measureLag, type Commit, type LagDocument, type Position } from '../../../src/measure/lag.ts'
import { summaryOf } from '../../../src/measure/statistics.ts'
import type { Lsn } from '../../../src/postgres/lsn.ts'
import { narrateBurst, narrateLag } from '../../../src/report/lag.ts'
import { cellsOf, narrated } from '../../support/a-narrator.ts'

const lsn = (value: number): Lsn => BigInt(value) as Lsn
const commits: Commit[] = [10, 20, 30].map(at => ({ dueAt: at - 2, acknowledgedAt: at, lsn: lsn(at * 1024) }))
const looks = (...seen: readonly (readonly [at: number, position: number])[]): Position[] =>
  seen.map(([at, position]) => ({ askedAt: at - 1, at, lsn: lsn(position * 1024) }))

const follower = { node: 'replica1', ...measureLag(commits, looks([5, 0], [15, 10], [25, 20], [31, 20], [35, 30])) }
const straggler = { node: 'replica2', ...measureLag(commits, looks([5, 0])) }

describe('a burst, for people', () => {
  const lines = narrated(narrate => narrateBurst(narrate, [follower, straggler], 3))

  test('tells what each standby had when the last insert was acknowledged, and when it had all', () => {
    expect(cellsOf(lines, 'replica1')).toEqual(['replica1', '2 of 3', '10 kB', '< 8.0 ms', '8.0 ms'])
  })

  test('calls unknown when a standby was never seen to have it all', () => {
    expect(cellsOf(lines, 'replica2')).toEqual(['replica2', 'unknown of 3', 'unknown', 'unknown', 'unknown'])
  })
})

describe('lag, for people', () => {
  const document: LagDocument = {
    version: 1,
    runtime: 'local',
    postgresVersion: '17.2',
    primary: 'primary',
    inserts: 1204,
    ratePerSecond: null,
    burstMs: 1310,
    insertMs: summaryOf([2, 2, 2]),
    standbys: [follower, straggler],
    sampling: { everyMs: 0, insertsPerSecond: { without: 2000.4, with: 1500.2 }, ratio: 0.74996, n: 2 },
  }
  const lines = narrated(narrate => narrateLag(narrate, document))

  test('begins with what was inserted, and how long that took', () => {
    expect(lines[0]).toBe('1,204 inserts on primary in 1.31 s; each acknowledged after 2.0 ms (p50), 2.0 ms (p95)')
  })

  test('tells how long until an insert was visible, never less than a look can tell, and unknown where it never was', () => {
    expect(cellsOf(lines, 'replica1').slice(0, 4)).toEqual(['replica1', '< 8.0 ms', '< 8.0 ms', '< 8.0 ms'])
    const [, ...cells] = cellsOf(lines, 'replica2')
    expect(cells).toEqual(['unknown', 'unknown', 'unknown', 'unknown', '0 bytes', 'unknown, unknown'])
  })

  test('draws a curve for each standby, a block a look', () => {
    const [node, curve, most] = lines.findLast(line => line.startsWith('replica1'))!.split(/ {2,}/)
    expect([node, most]).toEqual(['replica1', 'at most 10 kB'])
    expect(curve).toBe('··█·')
  })

  test('ends with what the looking cost', () => {
    expect(lines.at(-1)).toBe(
      'What the looking cost: 1,500 inserts a second with it, 2,000 without (mean of 2): ratio 0.75',
    )
  })

  test('draws no more blocks than fit beside a name on 80 columns', () => {
    const curve = Array.from({ length: 1000 }, (_, at) => ({ at, bytes: at }))
    const standbys = [{ ...follower, curve, maxBytes: 999 }]
    const drawn = narrated(narrate => narrateLag(narrate, { ...document, standbys })).findLast(line =>
      line.includes('█'),
    )
    const [, blocks = ''] = drawn!.split(/ {2,}/)
    expect(blocks).toHaveLength(60)
    expect(blocks.endsWith('█')).toBe(true)
  })
})
