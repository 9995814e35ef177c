import { describe, expect, test } from 'vitest'
import type { FailoverRecord } from '../../../src/measure/record.ts'
import { summariseTrials } from '../../../src/measure/trials.ts'
import { narrateTrials, trialNarrator } from '../../../src/report/trials.ts'
import type { TrialResult } from '../../../src/experiments/trial.ts'
import { aRecord, writes } from '../../support/a-record.ts'
import { cellsOf, narrated } from '../../support/a-narrator.ts'

const RED = '\u001B[31m'
const unknown = { outageMs: null, phases: null }
const result = (record: FailoverRecord): TrialResult => ({
  record,
  history: { run: 'r', writes: [], connectionErrors: [], startedAt: 0, stoppedAt: 1 },
  milestones: { faultAt: 0, detectedAt: 0, fencedAt: 0, promotedAt: 0 },
})

describe('the line of a trial', () => {
  const lineOf = (record: FailoverRecord, inColour = false): string =>
    narrated(narrate => trialNarrator(narrate).onTrial(result(record), 7), { inColour })[0]!

  test('tells who took over from whom, the outage and the loss', () => {
    const line = lineOf(aRecord({ outageMs: 412, writes: writes({ acknowledged: 1204, lost: 3 }) }))
    expect(line).toMatch(/^7 +primary to replica1 +outage +412 ms +lost 3 of 1,204$/)
  })

  test('calls an outage unknown that is', () => {
    expect(lineOf(aRecord(unknown))).toMatch(/outage +unknown +lost 0 of 10$/)
  })

  test('is red only when acknowledged writes are gone', () => {
    expect(lineOf(aRecord({ writes: writes({ acknowledged: 10, lost: 1 }) }), true)).toContain(RED)
    expect(lineOf(aRecord(), true)).not.toContain(RED)
  })
})

describe('the sum of trials', () => {
  test('has the median, least and greatest of each figure', () => {
    const trials = [100, 200, 400].map((outageMs, lost) =>
      aRecord({ outageMs, verdict: 'lost-writes', writes: writes({ acknowledged: 500, lost: lost * 10 }) }),
    )
    const lines = narrated(narrate => narrateTrials(narrate, summariseTrials(trials, 3)))
    expect(lines[0]).toBe('n = 3, crash, 200 writes a second over 4 connections')
    expect(cellsOf(lines, 'outage')).toEqual(['outage', '200 ms', '100 ms', '400 ms'])
    expect(cellsOf(lines, 'first write')).toEqual(['first write', '40.0 ms', '40.0 ms', '40.0 ms'])
    expect(cellsOf(lines, 'lost writes')).toEqual(['lost writes', '10', '0', '20'])
    expect(lines.at(-2)).toContain('acknowledged 1,500 · failed 0 · indeterminate 0 · lost 30')
    expect(lines.at(-1)).toBe('verdicts  lost-writes 3')
  })

  test('names a trial that contradicts itself, with the reason', () => {
    const strange = aRecord({ verdict: 'inconsistent', why: '1 there more than once' })
    const [line] = narrated(narrate => trialNarrator(narrate).onTrial(result(strange), 1))
    expect(line).toMatch(/lost 0 of 10 {2}inconsistent: 1 there more than once$/)
    const lines = narrated(narrate => narrateTrials(narrate, summariseTrials([strange], 1)))
    expect(lines.at(-1)).toBe('verdicts  inconsistent 1')
  })

  test('calls unknown what no trial has, and says how many were asked for', () => {
    const document = summariseTrials([aRecord({ ...unknown, verdict: 'unknown' })], 5)
    const lines = narrated(narrate => narrateTrials(narrate, document))
    expect(lines[0]).toMatch(/^n = 1 of 5, /)
    for (const name of ['outage', 'detect', 'fence', 'promote', 'first write'])
      expect(cellsOf(lines, name)).toEqual([name, 'unknown'])
    expect(lines.at(-1)).toBe('verdicts  unknown 1')
  })
})
