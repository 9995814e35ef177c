import { describe, expect, test } from 'vitest'
import { decadesAround, linear, linearAround } from '../../../../src/report/html/scales.ts'

describe('a scale', () => {
  test('goes from the first pixel at the least value to the last at the greatest', () => {
    const { at, ticks } = linear([-510, 930], [84, 804])
    expect([-510, 0, 930].map(at)).toEqual([84, 339, 804])
    expect(ticks).toEqual([-400, -200, 0, 200, 400, 600, 800])
  })

  test('around values ends on labelled ones', () => {
    const { at, ticks } = linearAround([-3, 79], [230, 0])
    expect([at(-20), at(80)]).toEqual([230, 0])
    expect(ticks).toEqual([-20, 0, 20, 40, 60, 80])
  })

  test('of decades is labelled at the powers of ten around all values, and what took no time stands at the lowest', () => {
    const { at, ticks } = decadesAround([0, 0.4, 421], [300, 0])
    expect(ticks).toEqual([0.1, 1, 10, 100, 1000])
    expect([0, 0.1, 1000].map(at)).toEqual([300, 300, 0])
  })

  test.each([
    { values: [], ticks: [1, 10] },
    { values: [0], ticks: [1, 10] },
    { values: [10], ticks: [10, 100] },
    { values: [3, 4], ticks: [1, 10] },
    { values: [0.001, 3e6], ticks: [0.001, 0.01, 0.1, 1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7] },
  ])('of decades has two labels at least: $values', ({ values, ticks }) => {
    expect(decadesAround(values, [0, 100]).ticks).toEqual(ticks)
  })
})
