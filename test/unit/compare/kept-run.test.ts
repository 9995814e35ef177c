/**
 * docs/compare.md shows a run that was kept: its tables are what the command prints of it.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { CompareDocument } from '../../../src/compare/compare.ts'
import { compareCell } from '../../../src/compare/document.ts'
import { predictionOf } from '../../../src/compare/stack-round.ts'
import { narrateCompare } from '../../../src/report/compare.ts'
import { compareReport } from '../../../src/report/html/reports.ts'
import { STACK_TIMERS } from '../../../src/stack/settings.ts'
import { narrated } from '../../support/a-narrator.ts'

const kept = JSON.parse(readFileSync('docs/compare-run.json', 'utf8')) as CompareDocument
const text = readFileSync('docs/compare.md', 'utf8')

describe('the kept run of the comparison', () => {
  test('is what docs/compare.md shows, line by line', () => {
    const blocks = [...text.matchAll(/^```console\n(.*?)^```$/gms)].map(([, block = '']) => block)
    const shown = blocks.flatMap(block => block.split('\n').map(line => line.trim()))
    const missing = narrated(narrate => narrateCompare(narrate, kept)).filter(line => !shown.includes(line))
    expect(missing).toEqual([])
  })

  test('has cells that are drawn up from its trials, and from the timers of today', () => {
    expect(kept.timers).toEqual(STACK_TIMERS)
    for (const { way, event, setting, ...cell } of kept.cells) {
      const again = compareCell({ way, event, setting }, kept.trials, predictionOf({ way, event, setting }))
      expect({ way, event, setting, ...cell }).toEqual(JSON.parse(JSON.stringify(again)))
    }
  })

  test.each(['killed', 'stop', 'freeze', 'switchover'])('has five trials and more of %s on both settings', event => {
    const cells = kept.cells.filter(cell => cell.event === event && cell.setting !== 'none')
    expect(new Set(cells.map(({ setting }) => setting))).toEqual(new Set(['default', 'tuned']))
    expect(cells.filter(({ n }) => n < 5)).toEqual([])
  })

  test('is a page, too', async () => {
    const page = await compareReport(kept)
    expect(page).toContain('Ways to the primary, compared')
    expect(page.match(/<figure/g)?.length).toBe(new Set(kept.cells.map(({ event }) => event)).size)
  })
})
