import { describe, expect, test } from 'vitest'
import { AGREEMENT, type LiarsDocument, type Reading } from '../../../src/measure/liars.ts'
import { narrateLiars } from '../../../src/report/liars.ts'
import { cellsOf, narrated } from '../../support/a-narrator.ts'

const reading = (differing: Partial<Reading>): Reading => ({
  situation: 'idle',
  node: 'replica2',
  metric: 'replay_lag',
  unit: 'ms',
  says: 0,
  truth: 0,
  ...{ tolerance: 10, n: 20, agreeing: 19, judgement: 'true' },
  ...differing,
})
const document = (...readings: readonly Reading[]): LiarsDocument => ({
  version: 1,
  runtime: 'local',
  postgresVersion: '17.2',
  tolerance: { ms: 150, bytes: 131_072 },
  agreement: AGREEMENT,
  readings,
})
const told = (...readings: readonly Reading[]): string[] =>
  narrated(narrate => narrateLiars(narrate, document(...readings)))

describe('metrics against the truth, for people', () => {
  test.each([
    [
      'says nothing',
      { says: null, truth: 2000, judgement: 'silent' },
      ['nothing', '2.00 s', '10.0 ms', '19 of 20', 'says nothing'],
    ],
    [
      'lies too low',
      { says: 3, truth: 2000, judgement: 'low' },
      ['3.0 ms', '2.00 s', '10.0 ms', '19 of 20', 'lies: too low'],
    ],
    [
      'says zero',
      { says: 0, truth: 2000, judgement: 'low' },
      ['0.00 ms', '2.00 s', '10.0 ms', '19 of 20', 'lies: too low'],
    ],
    [
      'lies too high',
      { says: 2000, truth: 0, judgement: 'high' },
      ['2.00 s', '0.00 ms', '10.0 ms', '19 of 20', 'lies: too high'],
    ],
    [
      'is right',
      { says: 210, truth: 200, judgement: 'true' },
      ['210 ms', '200 ms', '10.0 ms', '19 of 20', 'tells the truth'],
    ],
    [
      'is unclear',
      { says: 9, truth: 30, agreeing: 12, judgement: 'unclear' },
      ['9.0 ms', '30.0 ms', '10.0 ms', '12 of 20', 'cannot tell'],
    ],
    [
      'nobody could look at',
      { n: 0, agreeing: 0, judgement: 'unclear' },
      ['–', '–', '10.0 ms', '0 of 0', 'cannot tell'],
    ],
  ] as const)('show what it says beside the truth: a metric that %s', (_, differing, cells) => {
    expect(cellsOf(told(reading(differing)), 'replay_lag')).toEqual(['replay_lag', ...cells])
  })

  test('show bytes as bytes, whole ones', () => {
    const lines = told(reading({ metric: 'slot', unit: 'bytes', says: 311.7, truth: 16_777_216, judgement: 'low' }))
    expect(cellsOf(lines, 'slot')).toEqual(['slot', '312 bytes', '16 MB', '10 bytes', '19 of 20', 'lies: too low'])
  })

  test('are a table for each situation, in the order in which they were read', () => {
    const situations = ['burst', 'idle', 'disconnected']
    const lines = told(...situations.map(situation => reading({ situation })))
    const headings = lines.filter(line => /^(Idle|Burst|Disconnected):/.test(line)).map(line => line.split(':')[0])
    expect(headings).toEqual(['Burst', 'Idle', 'Disconnected'])
    expect(lines.filter(line => line.startsWith('replay_lag'))).toHaveLength(3)
  })

  test('name a situation that is not known by its own name', () => {
    expect(told(reading({ situation: 'leap second' }))[0]).toBe('leap second')
  })

  test('end with what counts as true, and of which standby', () => {
    const [truth, verdict] = told(reading({})).slice(-2)
    expect(truth).toContain('not visible on replica2')
    expect(truth).toContain('nearer than 150 ms or 128 kB')
    expect(verdict).toBe('A verdict is what 90 % of the looks say, of at least 10; else it cannot tell.')
  })
})
