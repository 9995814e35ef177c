import { describe, expect, test } from 'vitest'
import { outageWindow } from '../../../../src/report/html/outage-window.ts'
import { sampleRun } from '../../../support/report-samples.ts'

describe('the window around an outage', () => {
  test('counts every write and every refused connection once', () => {
    const { bins } = outageWindow(sampleRun())
    const total = (of: (bin: (typeof bins)[number]) => number): number => bins.reduce((sum, bin) => sum + of(bin), 0)
    expect(total(({ kept }) => kept)).toBe(3)
    expect(total(({ lost }) => lost)).toBe(2)
    expect(total(({ indeterminate }) => indeterminate)).toBe(1)
    expect(total(({ failed }) => failed)).toBe(1)
    expect(total(({ refused }) => refused)).toBe(2)
  })

  test('marks the phases one after the other, from the last acknowledgement to the first after it', () => {
    const [fault, ...phases] = outageWindow(sampleRun()).marks
    expect(fault).toEqual({ at: 0, text: 'crash: 0 ms' })
    expect(phases.map(({ at, until }) => [at, until])).toEqual([
      [-5, 35],
      [35, 36],
      [36, 70],
      [70, 75],
    ])
  })
})
