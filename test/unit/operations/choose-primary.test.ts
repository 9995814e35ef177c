import { describe, expect, test } from 'vitest'
import { choosePrimary, type Found } from '../../../src/operations/choose-primary.ts'
import { parseLsn } from '../../../src/postgres/lsn.ts'
import { nodeHistory } from '../../../src/postgres/node-history.ts'

type Stretches = readonly (readonly [timeline: number, lsn: string])[]

/** `[1, '0/20'], [2, '0/40']`: it left timeline 1 at 0/20, and is on timeline 2 at 0/40. */
const node =
  (role: Found['role']) =>
  (name: string, stretches: Stretches, recoveryMinApplyDelayMs = 0): Found => {
    const [timeline, end] = stretches.at(-1)!
    const switches = stretches.slice(0, -1).map(([of, lsn]) => ({ timeline: of, forkLsn: parseLsn(lsn) }))
    const history = nodeHistory({ systemIdentifier: '7', timeline, switches, endLsn: parseLsn(end) })
    return { name, role, history, recoveryMinApplyDelayMs }
  }
const primary = node('primary')
const standby = node('standby')

interface Case {
  readonly found: readonly Found[]
  readonly chosen: string
  readonly isPromoted?: boolean
  readonly superseded?: readonly string[]
}

const CASES: Readonly<Record<string, Case>> = {
  'the primary that all others follow stays, however far behind they are': {
    found: [primary('p', [[1, '0/50']]), standby('a', [[1, '0/20']]), standby('b', [[1, '0/50']])],
    chosen: 'p',
  },
  'a primary stays that standbys have not followed to its timeline yet': {
    found: [
      standby('a', [[1, '0/20']]),
      primary('p', [
        [1, '0/20'],
        [2, '0/50'],
      ]),
    ],
    chosen: 'p',
  },
  'a former primary which has more of the old timeline does not count against a promotion': {
    found: [
      standby('old', [[1, '0/90']]),
      primary('p', [
        [1, '0/20'],
        [2, '0/50'],
      ]),
    ],
    chosen: 'p',
  },
  'a standby on a newer history is promoted instead of a primary that has come back on the old one': {
    found: [
      primary('p', [[1, '0/90']]),
      standby('a', [
        [1, '0/20'],
        [2, '0/50'],
      ]),
      standby('b', [
        [1, '0/20'],
        [2, '0/40'],
      ]),
    ],
    ...{ chosen: 'a', isPromoted: true, superseded: ['p'] },
  },
  'of two primaries the one on the newer timeline stays, although the other has written more': {
    found: [
      primary('old', [[1, '0/90']]),
      primary('p', [
        [1, '0/20'],
        [2, '0/50'],
      ]),
      standby('a', [[1, '0/20']]),
    ],
    ...{ chosen: 'p', superseded: ['old'] },
  },
  'of two primaries that chose one number the one that has written more stays': {
    found: [
      primary('x', [
        [1, '0/20'],
        [2, '0/50'],
      ]),
      primary('y', [
        [1, '0/30'],
        [2, '0/60'],
      ]),
    ],
    ...{ chosen: 'y', superseded: ['x'] },
  },
  'of two primaries on one timeline the order of the file does not decide': {
    found: [primary('x', [[1, '0/50']]), primary('y', [[1, '0/60']])],
    ...{ chosen: 'y', superseded: ['x'] },
  },
  'a primary that has lost WAL which a standby has received gives way to it': {
    found: [primary('p', [[1, '0/50']]), standby('a', [[1, '0/60']])],
    ...{ chosen: 'a', isPromoted: true, superseded: ['p'] },
  },
  'without a primary the standby on the newest timeline is promoted, then the one that is furthest': {
    found: [
      standby('a', [[1, '0/90']]),
      standby('b', [
        [1, '0/20'],
        [2, '0/50'],
      ]),
      standby('c', [
        [1, '0/20'],
        [2, '0/60'],
      ]),
    ],
    ...{ chosen: 'c', isPromoted: true },
  },
  'among equals it is the one that applies at once': {
    found: [standby('late', [[1, '0/50']], 60_000), standby('a', [[1, '0/50']]), standby('b', [[1, '0/50']])],
    ...{ chosen: 'a', isPromoted: true },
  },
}

describe('of all nodes that answer', () => {
  test.each(Object.entries(CASES))('%s', (_, { found, chosen, isPromoted = false, superseded = [] }) => {
    expect(choosePrimary(found)).toMatchObject({ primary: chosen, isPromoted, superseded })
  })

  test('the order in which they are told changes nothing, but for equals', () => {
    for (const { found, chosen } of Object.values(CASES).slice(0, -1)) {
      expect(choosePrimary([...found].reverse())?.primary).toBe(chosen)
    }
  })

  test('none is chosen of none', () => {
    expect(choosePrimary([])).toBeUndefined()
  })
})
