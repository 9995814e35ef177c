import { describe, expect, test } from 'vitest'
import { summariseCell, type DurabilityCell, type DurabilityDocument } from '../../../src/measure/durability.ts'
import { cellNarrator, narrateDurability } from '../../../src/report/durability.ts'
import { aRecord, writes } from '../../support/a-record.ts'
import { cellsOf, narrated } from '../../support/a-narrator.ts'

const lossy = summariseCell({ synchronousCommit: 'local', standbys: 'quorum' }, [
  {
    record: aRecord({ outageMs: 300, writes: writes({ acknowledged: 2000, lost: 1204 }) }),
    commitLatencies: [1, 2, 3],
  },
])
const safe = summariseCell({ synchronousCommit: 'remote_apply', standbys: 'one' }, [
  { record: aRecord({ outageMs: null, phases: null, writes: writes({ acknowledged: 50 }) }), commitLatencies: [8] },
])
const document = (...cells: readonly DurabilityCell[]): DurabilityDocument => ({
  version: 1,
  runtime: 'local',
  postgresVersion: '17.2',
  load: { ratePerSecond: 500, connections: 4 },
  cutMs: 250,
  requested: { settings: cells.length, trials: 1 },
  cells,
  machine: { platform: 'linux x64', cpus: 4, node: '22.0.0' },
})

describe('a setting of synchronous commit, for people', () => {
  test('is told with its loss as soon as it is done', () => {
    const [line] = narrated(narrate => cellNarrator(narrate)(lossy))
    expect(line).toMatch(/^local +quorum +lost 1,204 of 2,000$/)
  })

  test('is told with what contradicts its history', () => {
    const record = aRecord({
      verdict: 'inconsistent',
      writes: writes({ acknowledged: 50, unexpected: 2, duplicates: 1 }),
    })
    const strange = summariseCell({ synchronousCommit: 'on', standbys: 'one' }, [{ record, commitLatencies: [8] }])
    const [line] = narrated(narrate => cellNarrator(narrate)(strange))
    expect(line).toMatch(/lost 0 of 50, inconsistent: unexpected 2, duplicates 1$/)
  })
})

describe('the table of settings', () => {
  const lines = narrated(narrate => narrateDurability(narrate, document(lossy, safe)))

  test('has a line for each, with its price, its loss and its promise', () => {
    expect(lines[0]).toMatch(
      /^synchronous_commit +standbys +commit p50 +p99 +writes +outage +acknowledged +lost +promised +n$/,
    )
    const [commit, standbys, p50, , count, outage, ...loss] = cellsOf(lines, 'local')
    expect([commit, standbys, p50, count, outage]).toEqual(['local', 'quorum', '2.0 ms', '3', '300 ms'])
    expect(loss).toEqual(['2,000', '1,204', 'nothing', '1'])
  })

  test('calls an outage unknown that is, and a promise none lost', () => {
    const cells = cellsOf(lines, 'remote_apply')
    expect(cells.slice(5)).toEqual(['unknown', '50', '0', 'none lost', '1'])
  })

  test('says what of it is missing when it was interrupted', () => {
    const requested = { settings: 3, trials: 1 }
    expect(lines.join('\n')).not.toContain('Interrupted')
    const partial = narrated(narrate => narrateDurability(narrate, { ...document(lossy, safe), requested }))
    expect(partial.join('\n')).toContain('Interrupted: 2 of 3 settings')
  })

  test('says under what load, and for how long the standbys were cut off', () => {
    expect(lines.join('\n')).toContain('500 writes a second over 4 connections')
    expect(lines.join('\n')).toContain('cut for 250 ms')
  })
})
