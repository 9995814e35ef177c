import { expect, test } from 'vitest'
import { judgeClaims, type Claims, type Judgement } from '../../../src/measure/claims.ts'
import { aRecord, writes } from '../../support/a-record.ts'

type Trial = Parameters<typeof judgeClaims>[0][number]

const trial = (differing: Partial<Trial> = {}): Trial => ({
  ...aRecord(),
  ...{ change: 'failover', longestOutageMs: 100 },
  ...differing,
})
const held = (trials: readonly Trial[], claims: Claims): Judgement['held'][] =>
  judgeClaims(trials, claims).map(judgement => judgement.held)

test('without a claim there is none to judge', () => {
  expect(judgeClaims([trial()], {})).toEqual([])
})

test('writes that are lost are held against how many may be', () => {
  const lost = trial({ verdict: 'lost-writes', writes: writes({ acknowledged: 10, lost: 2 }) })
  expect(held([lost], { expectLost: 1 })).toEqual([false])
  expect(held([lost], { expectLost: 2 })).toEqual([true])
  expect(judgeClaims([lost], { expectLost: 0 })).toEqual([
    { claim: 'at most 0 lost', held: false, why: '2 of 10 acknowledged writes are gone' },
  ])
})

test('what is not known never holds', () => {
  const unknown = trial({ verdict: 'unknown', why: 'the survivors could not be read' })
  expect(judgeClaims([unknown], { expectLost: 1000 })).toMatchObject([{ held: null, why: unknown.why }])
  expect(held([trial({ verdict: 'inconsistent' })], { expectLost: 1000 })).toEqual([false])
  expect(held([trial({ outageMs: 5, longestOutageMs: null })], { maxOutageMs: 1000 })).toEqual([null])
  expect(held([trial({ change: 'none' })], { maxOutageMs: 1000 })).toEqual([null])
  expect(held([], { expectLost: 0, maxOutageMs: 1 })).toEqual([null, null])
})

test('the longest silence is the outage that is claimed about, also where the primary changed in another', () => {
  expect(held([trial({ outageMs: 100, longestOutageMs: 400 })], { maxOutageMs: 300 })).toEqual([false])
  expect(held([trial({ outageMs: 300, longestOutageMs: 300 })], { maxOutageMs: 300 })).toEqual([true])
})

test('of many trials each has to hold, and the first that does not is named', () => {
  const bad = trial({ longestOutageMs: 500 })
  const unknown = trial({ longestOutageMs: null })
  expect(held([trial(), trial()], { maxOutageMs: 300 })).toEqual([true])
  expect(judgeClaims([trial(), unknown, bad], { maxOutageMs: 300 })).toMatchObject([
    { claim: 'an outage of at most 300 ms', held: false, why: 'trial 3: nothing was acknowledged for 500 ms' },
  ])
  expect(held([trial(), unknown], { maxOutageMs: 300 })).toEqual([null])
})
