import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { summariseCell, type CellTrial } from '../../../src/measure/durability.ts'
import { spreadOf, summaryOf } from '../../../src/measure/statistics.ts'
import { anyRecord, aRecord, writes } from '../../support/a-record.ts'

const setting = { synchronousCommit: 'remote_write', standbys: 'quorum' } as const
const trial = (differing: Parameters<typeof aRecord>[0], ...commitLatencies: number[]): CellTrial => ({
  record: aRecord(differing),
  commitLatencies,
})

describe('a setting of synchronous commit', () => {
  test('has the latencies of all its trials in one summary, and the losses of all', () => {
    const cell = summariseCell(setting, [
      trial({ outageMs: 300, writes: writes({ acknowledged: 40, lost: 4 }) }, 1, 5),
      trial({ outageMs: 100, writes: writes({ acknowledged: 60, lost: 0 }) }, 3),
    ])
    expect(cell).toMatchObject({ ...setting, promised: true, acknowledged: 100, lost: 4, n: 2, outageMs: 200 })
    expect(cell.commitMs).toMatchObject({ n: 3, min: 1, p50: 3, max: 5 })
    expect(cell.spread).toEqual({
      outageMs: { n: 2, min: 100, median: 200, max: 300 },
      lost: { n: 2, min: 0, median: 2, max: 4 },
    })
  })

  test('leaves an unknown outage out, and has none when no trial has one', () => {
    const unknown = { outageMs: null, phases: null }
    const some = summariseCell(setting, [trial({ outageMs: 100 }, 1), trial(unknown, 1)])
    expect(some).toMatchObject({ n: 2, outageMs: 100, spread: { outageMs: { n: 1 } } })
    const none = summariseCell(setting, [trial(unknown, 1)])
    expect(none).toMatchObject({ n: 1, outageMs: null, spread: { outageMs: null, lost: { n: 1 } } })
  })

  test('of no trials is an error', () => {
    expect(() => summariseCell(setting, [])).toThrow(RangeError)
  })

  test('takes over the setting and nothing beside it', () => {
    const wider = { ...setting, name: 'a cell of the caller' }
    expect(summariseCell(wider, [trial({}, 1)])).not.toHaveProperty('name')
  })

  test('adds up, for any trials', () => {
    const latencies = fc.array(fc.nat(1000), { minLength: 1, maxLength: 10 })
    const trials = fc.array(fc.record({ record: anyRecord, commitLatencies: latencies }), {
      minLength: 1,
      maxLength: 10,
    })
    fc.assert(
      fc.property(trials, all => {
        const cell = summariseCell(setting, all)
        const sum = (figure: 'acknowledged' | 'lost'): number =>
          all.reduce((total, { record }) => total + record.writes[figure], 0)
        const outages = all.flatMap(({ record }) => (record.outageMs === null ? [] : [record.outageMs]))
        expect(cell).toMatchObject({ acknowledged: sum('acknowledged'), lost: sum('lost'), n: all.length })
        expect(cell.commitMs).toEqual(summaryOf(all.flatMap(({ commitLatencies }) => commitLatencies)))
        expect(cell.outageMs).toBe(outages.length === 0 ? null : spreadOf(outages).median)
        expect(cell.spread.lost).toEqual(spreadOf(all.map(({ record }) => record.writes.lost)))
      }),
    )
  })
})
