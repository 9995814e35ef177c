/**
 * Marks over a plot: instants, and the spans between them. Pure.
 */
import { paint, type Ink } from './inks.ts'
import { markup, type Markup } from './markup.ts'
import type { Frame } from './plot.ts'
import { bar, px } from './shapes.ts'

/** A vertical line with a label over the plot; with `until`, the band from `at` to there. In the units of the x axis. */
export interface Mark {
  readonly at: number
  readonly until?: number
  readonly text: string
}

const ROW_PX = 18
/** Free room in pixels that marks need over the plot, below its upper edge. */
export const roomForMarks = (marks: readonly Mark[]): number => 8 + marks.length * ROW_PX

/**
 * Marks, each label on a row of its own, the leftmost on top: a label stands to the right of its line, and the lines right
 * of it begin below it, so that however short the bands are, nothing covers a label.
 */
export function marksOver({ top, bottom }: Frame, x: (value: number) => number, marks: readonly Mark[]): Markup {
  const ordered = marks.toSorted((a, b) => a.at - b.at)
  const bands = ordered.flatMap(({ at, until }) => (until === undefined ? [] : [{ left: x(at), right: x(until) }]))
  return markup`
${bands.map((band, row) => bar({ ...band, top, bottom }, BANDS[row % BANDS.length] ?? 'band-a'))}
<path d="${ordered.map(({ at }, row) => `M${px(x(at))} ${row * ROW_PX + 4}V${bottom}`).join('')}" fill="none" stroke="${paint('muted')}"/>
${ordered.map(({ at, text }, row) => markup`<text x="${px(x(at) + 5)}" y="${row * ROW_PX + 14}">${text}</text>\n`)}`
}

const BANDS: readonly Ink[] = ['band-a', 'band-b']
