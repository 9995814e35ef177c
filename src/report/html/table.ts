/**
 * Tables and lists of figures, as a screen reader can read them: a caption, headings with a scope. Pure.
 */
import { markup, type Content, type Markup } from './markup.ts'

export interface Table {
  /** What the table shows. */
  readonly caption: string
  readonly head: readonly string[]
  /** The first cell of a row is its heading. A number stands to the right. */
  readonly rows: readonly (readonly Cell[])[]
}

/** `figure`: stands to the right; `loss`: something acknowledged that is gone. */
export type Cell = string | Markup | { readonly figure: string; readonly loss?: boolean }

/** A table in a region of its own, which scrolls when the page is too narrow for it. */
export const table = ({ caption, head, rows }: Table): Markup => markup`
<div class="scroll" role="region" tabindex="0" aria-label="${caption}">
<table>
<caption>${caption}</caption>
<thead><tr>${head.map((text, at) => markup`<th scope="col"${isFigure(rows[0]?.[at]) ? markup` class="figure"` : undefined}>${text}</th>`)}</tr></thead>
<tbody>
${rows.map(row => markup`<tr>${row.map(cellOf)}</tr>\n`)}</tbody>
</table>
</div>`

const cellOf = (cell: Cell, at: number): Markup => {
  const content = contentOf(cell)
  return at === 0
    ? markup`<th scope="row"${classOf(cell)}>${content}</th>`
    : markup`<td${classOf(cell)}>${content}</td>`
}

const contentOf = (cell: Cell): Content => (isFigure(cell) ? cell.figure : cell)

const isFigure = (cell: Cell | undefined): cell is Extract<Cell, { readonly figure: string }> =>
  typeof cell === 'object' && 'figure' in cell

function classOf(cell: Cell): Markup {
  if (!isFigure(cell)) return markup``
  return cell.loss === true ? markup` class="figure loss"` : markup` class="figure"`
}

/** A cell that is a figure. */
export const figure = (text: string): Cell => ({ figure: text })
/** A count of what is gone: red unless it is zero. */
export const loss = (count: number, text: string): Cell => ({ figure: text, loss: count > 0 })

export interface KeyFigure {
  readonly name: string
  readonly value: string
  /** What the figure counts, or from what it was made. */
  readonly note: string
  readonly isLoss?: boolean
}

/** The figures that matter, large. */
export const keyFigures = (figures: readonly KeyFigure[]): Markup => markup`
<dl class="key-figures">
${figures.map(
  ({ name, value, note, isLoss = false }) => markup`<div><dt>${name}</dt>
<dd><strong${isLoss ? markup` class="loss"` : undefined}>${value}</strong> <span>${note}</span></dd></div>\n`,
)}</dl>`
