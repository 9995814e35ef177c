/**
 * A figure: the plot, its key, a sentence that says what it shows, and its numbers for who cannot see it. Pure.
 */
import { paint, type Ink } from './inks.ts'
import { markup, trusted, type Markup } from './markup.ts'
import { plotOf, type Plot } from './plot.ts'
import { table, type Table } from './table.ts'

export interface Figure extends Plot {
  /** Unique on its page. */
  readonly id: string
  /** What the figure shows, in a sentence or two. */
  readonly caption: string
  readonly key?: readonly KeyEntry[]
  /** The plot's numbers, where no table of the page has them. */
  readonly numbers?: Table
}

export interface KeyEntry {
  readonly text: string
  readonly ink: Ink
  /** As it is drawn. @default 'bar' */
  readonly shape?: keyof typeof SHAPES
}

/** Draws a figure. */
export const figureOf = ({ id, caption, key = [], numbers, ...plot }: Figure): Markup => markup`
<figure id="${id}">
${key.length === 0 ? undefined : keyOf(key)}
<div class="scroll plot" role="region" tabindex="0" aria-label="${plot.label}">${plotOf(plot)}</div>
<figcaption>${caption}</figcaption>
${numbers === undefined ? undefined : markup`<details><summary>The numbers of this plot</summary>${table(numbers)}</details>`}
</figure>`

const keyOf = (entries: readonly KeyEntry[]): Markup => markup`<ul class="key">
${entries.map(({ text, ink, shape = 'bar' }) => markup`<li>${swatch(ink, shape)}${text}</li>\n`)}</ul>`

/** Each in a box of 16 by 12. */
const SHAPES = {
  bar: { path: 'M2 1h12v10H2z', filled: true },
  hollow: { path: 'M3 2h10v8H3z', filled: false },
  dot: { path: 'M4 6a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z', filled: true },
  ring: { path: 'M4 6a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z', filled: false },
  triangle: { path: 'M8 1l5.5 10h-11z', filled: true },
  diamond: { path: 'M8 1l5 5l-5 5l-5 -5z', filled: false },
  line: { path: 'M0 6h16', filled: false },
  dashes: { path: 'M0 6h4M6 6h4M12 6h4', filled: false },
  dots: { path: 'M1 6h2M5 6h2M9 6h2M13 6h2', filled: false },
} as const

function swatch(ink: Ink, shape: keyof typeof SHAPES): Markup {
  const { path, filled } = SHAPES[shape]
  const drawn = filled ? `fill="${paint(ink)}"` : `fill="none" stroke="${paint(ink)}" stroke-width="2"`
  return trusted(`<svg class="swatch" width="16" height="12" aria-hidden="true"><path d="${path}" ${drawn}/></svg>`)
}
