import { expect, test } from 'vitest'
import { marksOver, roomForMarks } from '../../../../src/report/html/marks.ts'

const FRAME = { left: 0, right: 100, top: 62, bottom: 200 }

test('each mark has a row of its own over the plot, the leftmost on top', () => {
  const marks = [
    { at: 50, text: 'late' },
    { at: 10, until: 10, text: 'early' },
    { at: 10.1, text: 'hardly later' },
  ]
  const { html } = marksOver(FRAME, value => value, marks)
  const rows = [...html.matchAll(/<text x="[\d.]+" y="(\d+)">([^<]*)/g)].map(([, y, text]) => [Number(y), text])
  expect(rows).toEqual([
    [14, 'early'],
    [32, 'hardly later'],
    [50, 'late'],
  ])
  expect(roomForMarks(marks)).toBeGreaterThan(50)
})

test('a band is seen even where it lasted no time', () => {
  const { html } = marksOver(FRAME, value => value, [{ at: 10, until: 10, text: 'fence: 0.00 ms' }])
  expect(html).toContain('<rect x="10" y="62" width="1" height="138"')
})
