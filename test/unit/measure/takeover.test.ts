import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ConnectionError, Outcome, Write } from '../../../src/history/history.ts'
import {
  clientPhasesOf,
  onOldPrimary,
  parseServer,
  takeoverIn,
  type Look,
  type TakeoverEvidence,
} from '../../../src/measure/takeover.ts'

const OLD = '10.0.0.1:5432 1 1000'
const NEW = '10.0.0.2:5432 2 2000'
const RESTARTED = '10.0.0.1:5432 1 3000'
const FAULT_AT = 100

test('what a server says of itself is read; what could not be seen is null', () => {
  expect(parseServer('10.0.0.5:5432 2 1795769352919')).toEqual({
    ...{ address: '10.0.0.5:5432', timeline: 2, startedAt: 1795769352919 },
  })
  expect(parseServer('fe80::1:5432 - -')).toEqual({ address: 'fe80::1:5432', timeline: null, startedAt: null })
  expect(parseServer('-')).toEqual({ address: null, timeline: null, startedAt: null })
})

describe('who took over', () => {
  test('is whoever acknowledges next, from when it was first seen to accept writes', () => {
    const evidence = run({
      writes: [acked(90, OLD), refused(120), acked(200, NEW), acked(210, NEW)],
      looks: [look(95, OLD), look(150, NEW, true), look(180, NEW)],
    })
    expect(takeoverIn(evidence)).toEqual({
      ...{ change: 'failover', server: NEW, promotedAt: 180 },
      ...{ lastBeforeAt: 90, firstAfterAt: 200, noticedAt: 120 },
    })
    expect(clientPhasesOf(takeoverIn(evidence))).toEqual({ noticeMs: 30, promoteMs: 60, firstWriteMs: 20 })
  })

  test('may have been found by the search of its client before any look', () => {
    const evidence = run({
      writes: [acked(90, OLD), acked(200, NEW)],
      looks: [look(198, NEW)],
      foundAt: [10, 170, 300],
    })
    expect(takeoverIn(evidence).promotedAt).toBe(170)
  })

  test('is nobody where the same goes on, and nobody where all is silent', () => {
    const same = run({ writes: [acked(90, OLD), acked(150, OLD)], looks: [look(140, OLD)] })
    expect(takeoverIn(same)).toMatchObject({ change: 'none', server: undefined })
    expect(takeoverIn(run({ writes: [acked(90, OLD), refused(150)] }))).toMatchObject({ change: 'none' })
    expect(onOldPrimary(same, takeoverIn(same))).toEqual({ readsOnOldPrimary: null, splitBrainWrites: null })
  })

  test('is the same after a restart, which is no failover', () => {
    const evidence = run({ writes: [acked(90, OLD), acked(150, RESTARTED)] })
    expect(takeoverIn(evidence)).toMatchObject({ change: 'restart', server: RESTARTED, firstAfterAt: 150 })
  })

  test('is another on the same timeline, where storage fails over and not PostgreSQL', () => {
    const other = '10.0.0.2:5432 1 2000'
    expect(takeoverIn(run({ writes: [acked(90, OLD), acked(150, other)] }))).toMatchObject({ change: 'failover' })
  })

  test('is the one on the newest timeline, whoever was seen between', () => {
    const writes = [acked(90, OLD), acked(120, RESTARTED), acked(150, NEW), acked(160, RESTARTED)]
    expect(takeoverIn(run({ writes }))).toMatchObject({ server: NEW, lastBeforeAt: 120, firstAfterAt: 150 })
  })

  test('is not who was seen before the fault', () => {
    expect(takeoverIn(run({ writes: [acked(90, OLD)], looks: [look(50, NEW)] }))).toMatchObject({ change: 'none' })
  })

  test('is known also where no client was led to it: then the outage has no end', () => {
    const evidence = run({ writes: [acked(90, OLD)], looks: [look(150, NEW)] })
    expect(takeoverIn(evidence)).toMatchObject({ change: 'failover', promotedAt: 150, firstAfterAt: undefined })
    expect(clientPhasesOf(takeoverIn(evidence))).toBeUndefined()
  })
})

describe('the old primary beside the new one', () => {
  test('is seen by what it answers and what it accepts after the promotion', () => {
    const evidence = run({
      writes: [acked(90, OLD), acked(150, NEW), acked(152, OLD), acked(160, OLD)],
      looks: [look(151, OLD), look(155, OLD, true), look(165, OLD), look(170, NEW)],
    })
    expect(onOldPrimary(evidence, takeoverIn(evidence))).toEqual({ readsOnOldPrimary: 2, splitBrainWrites: 2 })
  })

  test('has not accepted what was sent before the promotion, or did not succeed', () => {
    const late: Write = { ...acked(155, OLD), sentAt: 140 }
    const evidence = run({ writes: [acked(90, OLD), acked(150, NEW), late, refused(170)] })
    expect(onOldPrimary(evidence, takeoverIn(evidence))).toEqual({ readsOnOldPrimary: 0, splitBrainWrites: 0 })
  })
})

test('the phases of any outage are none below zero, and add up to it', () => {
  const instant = fc.integer({ min: 101, max: 500 })
  const some = fc.array(instant, { maxLength: 4 })
  fc.assert(
    fc.property(
      fc.record({
        olds: some,
        news: fc.array(instant, { minLength: 1, maxLength: 4 }),
        errors: some,
        looks: some,
        foundAt: some,
      }),
      at => {
        const writes = [acked(90, OLD), ...at.olds.map(t => acked(t, OLD)), ...at.news.map(t => acked(t, NEW))]
        const connectionErrors = at.errors.map(t => ({ at: t, code: 'ECONNREFUSED' }))
        const looks = at.looks.map(t => look(t, NEW))
        const takeover = takeoverIn(run({ writes, connectionErrors, looks, foundAt: at.foundAt }))
        const { noticeMs, promoteMs, firstWriteMs } = clientPhasesOf(takeover)!
        expect(Math.min(noticeMs, promoteMs, firstWriteMs)).toBeGreaterThanOrEqual(0)
        expect(noticeMs + promoteMs + firstWriteMs).toBe(takeover.firstAfterAt! - takeover.lastBeforeAt!)
      },
    ),
  )
})

interface Given {
  readonly writes?: readonly Write[]
  readonly connectionErrors?: readonly ConnectionError[]
  readonly looks?: readonly Look[]
  readonly foundAt?: readonly number[]
}

const run = ({ writes = [], connectionErrors = [], looks = [], foundAt = [] }: Given): TakeoverEvidence => ({
  history: { run: 'r', writes, connectionErrors, startedAt: 0, stoppedAt: 1000 },
  ...{ looks, foundAt, before: OLD, faultAt: FAULT_AT },
})

const write = (at: number, outcome: Outcome, server?: string): Write => ({
  ...{ id: at, dueAt: at - 1, sentAt: at - 1, settledAt: at, outcome, server },
})
const acked = (at: number, server: string): Write => write(at, { kind: 'acknowledged' }, server)
const refused = (at: number): Write => write(at, { kind: 'indeterminate', code: 'CONNECTION_LOST' })
const look = (at: number, server: string, isInRecovery = false): Look => ({
  ...{ node: 'n', askedAt: at, at, isInRecovery, server },
})
