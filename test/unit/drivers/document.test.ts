/**
 * The page on the drivers, and what it is made from.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { cellsOf, merged, spreadOf, type DriversDocument } from '../../../examples/drivers/src/document.ts'
import { errorLabel } from '../../../examples/drivers/src/error-label.ts'
import { htmlReport } from '../../../examples/drivers/src/report-html.ts'
import { markdownReport } from '../../../examples/drivers/src/report-markdown.ts'
import { readRegion, withMended } from '../../../examples/drivers/src/sources.ts'
import { subjects } from '../../../examples/drivers/src/subjects/index.ts'
import type { SubjectResult } from '../../../examples/drivers/src/trial.ts'
import { endOf, shortOf } from '../../../examples/drivers/src/words.ts'

const kept = JSON.parse(readFileSync('examples/drivers/kept-run.json', 'utf8')) as DriversDocument

describe('docs/drivers.md', () => {
  test('is what the kept run makes of it: pnpm run drivers --document', () => {
    expect(readFileSync('docs/drivers.md', 'utf8')).toBe(markdownReport(kept))
  })

  test('is of every subject and situation, three times and more', () => {
    expect(kept.subjects.map(({ id }) => id)).toEqual(subjects.map(({ id }) => id))
    expect(kept.failures).toEqual([])
    for (const { subject, situation, n, absent = {} } of kept.cells) {
      // One that did not come to work before anything was done to it was tried, and is said.
      const tried = Object.values(absent).reduce((sum: number, count = 0) => sum + count, n)
      expect(tried, `${subject} ${situation}`).toBeGreaterThanOrEqual(3)
      expect(n, `${subject} ${situation}`).toBeGreaterThanOrEqual(2)
    }
  })

  test('shows the code that ran, and that is there still', async () => {
    expect(kept.subjects.map(({ mended }) => mended)).toEqual((await withMended(subjects)).map(({ mended }) => mended))
    expect(kept.givesUp).toBe(await readRegion('gives-up.ts'))
  })
})

describe('a cell', () => {
  const result: SubjectResult = {
    ...{ subject: 'knex', variant: 'default', end: { kind: 'lives' }, firstGoodMs: 85, state: 'well', healedBy: null },
    ...{
      hanging: 0,
      acknowledged: 100,
      errors: { '57P01': 1 },
      oldConnections: 0,
      duplicates: 0,
      astray: 0,
      rssBytes: 1,
    },
  }
  const stuck: SubjectResult = { ...result, firstGoodMs: null, state: 'stuck', healedBy: 'the address moves' }
  const crashed: SubjectResult = { ...result, end: { kind: 'crashed', by: '57P01', exitCode: 1, at: 0 } }
  const of = (...results: SubjectResult[]) => {
    const trials = results.map(one => ({ situation: 'stop', postgresVersion: '17', results: [one] }))
    const [cell] = cellsOf(trials, { subjects: [{ id: 'knex' }], situations: [{ id: 'stop' }] })
    return cell!
  }

  test('adds up the errors, and spreads the figures over those trials that have one', () => {
    expect(of(result, { ...result, firstGoodMs: 95 }, stuck)).toMatchObject({
      n: 3,
      states: { well: 2, stuck: 1 },
      healedBy: { 'the address moves': 1 },
      firstGoodMs: { n: 2, median: 90, min: 85, max: 95 },
      errors: { '57P01': 3 },
    })
  })

  test('says how it ended, and in how many trials where they differ', () => {
    expect(endOf(of(result, result))).toBe('well')
    expect(endOf(of(stuck))).toBe('stuck until the address moves')
    expect(endOf(of(crashed, result, stuck))).toBe('crashed 1, well 1, stuck until the address moves 1')
  })

  test('is in the overview the worst that it was', () => {
    expect(shortOf(of(result))).toBe('85 ms')
    expect(shortOf(of(result, stuck))).toBe('stuck 1/2')
    expect(shortOf(of(crashed, crashed))).toBe('crashes')
  })

  test('takes the mean of the two in the middle for a median', () => {
    expect(spreadOf([4, 1, 3, 2])).toEqual({ n: 4, median: 2.5, min: 1, max: 4 })
    expect(spreadOf([])).toBeUndefined()
  })
})

describe('an error is counted by', () => {
  test.each([
    [
      "PostgreSQL's code, whoever wrapped it",
      { code: 'P2010', meta: { driverAdapterError: { cause: { originalCode: '25006' } } } },
      '25006',
    ],
    ["the socket's code", { message: 'x', original: { code: 'ECONNREFUSED' } }, 'ECONNREFUSED'],
    ['the code of a cause', { message: 'Failed query', cause: { code: '57P01' } }, '57P01'],
    [
      'what it says, without the statement',
      { message: 'INSERT INTO a - Connection terminated' },
      'Connection terminated',
    ],
  ])('%s', (_, error, label) => {
    expect(errorLabel(error)).toBe(label)
  })
})

test('the page escapes what a driver has said', () => {
  const [first] = kept.cells
  const page = htmlReport({ ...kept, cells: [{ ...first!, errors: { '<img src=x onerror=alert(1)>': 1 } }] })
  expect(page).toContain('&lt;img src=x')
  expect(page).not.toContain('<img')
})

describe('a run of some situations that is to be kept', () => {
  const stop = kept.situations.filter(({ id }) => id === 'stop')
  const newer = {
    ...kept,
    situations: stop,
    failures: [],
    cells: kept.cells.filter(({ situation }) => situation === 'stop'),
  }
  const changed = { ...newer, cells: newer.cells.map(cell => ({ ...cell, acknowledged: -1 })) }

  test('takes the place of those, and of no other', () => {
    expect(merged(kept, newer).cells).toEqual(kept.cells)
    const { cells, situations } = merged(kept, changed)
    expect(situations).toEqual(kept.situations)
    expect(new Set(cells.filter(cell => cell.acknowledged === -1).map(({ situation }) => situation))).toEqual(
      new Set(['stop']),
    )
  })

  test('is kept alone where it is of other versions', () => {
    expect(merged(kept, { ...changed, postgresVersion: '19' }).situations).toEqual(stop)
  })
})
