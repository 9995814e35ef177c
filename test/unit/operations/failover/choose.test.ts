import { describe, expect, test } from 'vitest'
import { candidateOf, choose, type Candidate } from '../../../../src/operations/failover/choose.ts'
import { aStandby, lsn } from '../../../support/a-status.ts'
import { catchLabError } from '../../../support/catch-lab-error.ts'

const at = (name: string, candidate: Partial<Candidate> = {}): Candidate => ({
  ...{ name, lsn: lsn(1000), timeline: 1, isDelayed: false },
  ...candidate,
})

describe('who is chosen as the new primary', () => {
  test.each<[fact: string, candidates: Candidate[], to: string | undefined, chosen: string]>([
    [
      'the one that has most',
      [at('a', { lsn: lsn(1) }), at('b', { lsn: lsn(3) }), at('c', { lsn: lsn(2) })],
      undefined,
      'b',
    ],
    ['the first of two that have the same', [at('a'), at('b')], undefined, 'a'],
    [
      'the one on the newest timeline, though it has less',
      [at('a', { lsn: lsn(9) }), at('b', { lsn: lsn(1), timeline: 2 })],
      undefined,
      'b',
    ],
    ['of two that have the same, the one without a delay', [at('a', { isDelayed: true }), at('b')], undefined, 'b'],
    ['the one with a delay, if it has more', [at('a', { isDelayed: true, lsn: lsn(1001) }), at('b')], undefined, 'a'],
    ['the one that is named, though another has more', [at('a'), at('b', { lsn: lsn(1) })], 'b', 'b'],
    [
      'of positions that differ by more than a number can tell',
      [at('a', { lsn: lsn(2 ** 53) }), at('b', { lsn: ((1n << 53n) + 1n) as Candidate['lsn'] })],
      undefined,
      'b',
    ],
  ])('%s', (_, candidates, to, chosen) => {
    expect(choose(candidates, to).name).toBe(chosen)
  })

  test('nobody, when no standby answers', async () => {
    const error = await catchLabError('NO_CANDIDATE', async () => choose([], 'a'))
    expect(error.message).toBe('no standby answers, so none can be promoted')
  })

  test('nobody, when the one that is named is no standby that answers', async () => {
    const error = await catchLabError('NO_CANDIDATE', async () =>
      choose([at('a', { lsn: lsn(1) }), at('b')], 'primary'),
    )
    expect(error.message).toBe(
      'primary is no standby that answers; there are: a at 0/1 on timeline 1, b at 0/3E8 on timeline 1',
    )
    expect(error.hint).toBe('Try --to b.')
  })
})

test.each([
  ['what it has received, though not yet replayed', { receiveLsn: lsn(2000), replayLsn: lsn(1000) }, 2000],
  ['what it has replayed from its files, and never received', { receiveLsn: null, replayLsn: lsn(1000) }, 1000],
  [
    'what it has replayed, when it streamed from further back since',
    { receiveLsn: lsn(500), replayLsn: lsn(1000) },
    1000,
  ],
])('a standby is worth %s', (_, status, expected) => {
  expect(candidateOf(aStandby('a', status))).toEqual({ name: 'a', lsn: lsn(expected), timeline: 1, isDelayed: false })
})

test('a standby that applies late is known for it', () => {
  expect(candidateOf(aStandby('a', { recoveryMinApplyDelayMs: 60_000 })).isDelayed).toBe(true)
})
