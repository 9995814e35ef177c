/**
 * The live view of the cluster, as lines that fit a terminal. Pure.
 */
import type { NodeStatus } from '../cluster/node-status.ts'
import { clockOf, formatTable } from './format.ts'
import { SLOT_HEADING, slotRows } from './slots.ts'
import { NODE_HEADING, nodeRows, type BehindFor } from './status.ts'
import { silences, statusWarnings, type Reasons } from './status-warnings.ts'
import type { Style } from './terminal.ts'

/** What was seen to change, and when. */
export interface SeenChange {
  readonly at: Date
  readonly text: string
}

export interface WatchView {
  /** When this was so. */
  readonly at: Date
  /** Which runtime, and how often: `local, every 500 ms`. */
  readonly what: string
  readonly nodes: readonly NodeStatus[]
  readonly behindFor: BehindFor
  /** Why standbys do not stream or do not apply, as far as it is known by then. */
  readonly reasons: Reasons
  /** Oldest first. */
  readonly changes: readonly SeenChange[]
  /** Those since the view before. */
  readonly news: readonly SeenChange[]
}

interface Size {
  readonly columns: number
  readonly rows: number
}

/**
 * At most `rows` lines of at most `columns` characters. Where they are too few, the oldest changes are left out first, and
 * then what is farthest down; the nodes come first.
 */
export function watchLines(view: WatchView, { columns, rows }: Size, style: Style): string[] {
  const paint = ({ text, as }: Line): string => (as === undefined ? cut(text, columns) : style[as](cut(text, columns)))
  const state = stateLines(view)
  const room = rows - state.length - 2
  const changes = room > 0 ? view.changes.slice(-room).map(change => ({ text: changeLine(change) })) : []
  const below: Line[] = changes.length === 0 ? [] : [{ text: '' }, { text: 'seen to change', as: 'dim' }, ...changes]
  const all = [...state, ...below]
  const fitting = all.length <= rows ? all : [...all.slice(0, Math.max(0, rows - 1)), { text: '…' }]
  return fitting.map(paint)
}

/** `12:03:04 replica1 is the primary on timeline 2` */
export const changeLine = ({ at, text }: SeenChange): string => `${clockOf(at)} ${text}`

interface Line {
  readonly text: string
  readonly as?: 'accent' | 'dim' | 'bold'
}

function stateLines({ at, what, nodes, behindFor, reasons }: WatchView): Line[] {
  const [nodeHead = '', ...nodeLines] = formatTable([NODE_HEADING, ...nodeRows(nodes, behindFor)])
  const [slotHead = '', ...slotLines] = formatTable([SLOT_HEADING, ...slotRows(nodes)])
  const notes = [...silences(nodes), ...statusWarnings(nodes, reasons)]
  return [
    { text: `${clockOf(at)}  ${what}; q quits`, as: 'dim' },
    { text: nodeHead, as: 'dim' },
    ...nodeLines.map((text, node): Line => (nodes[node]?.role === 'primary' ? { text, as: 'accent' } : { text })),
    ...(slotLines.length === 0 ? [] : [{ text: '' }, { text: slotHead, as: 'dim' as const }]),
    ...slotLines.map(text => ({ text })),
    ...(notes.length === 0 ? [] : [{ text: '' }]),
    ...notes.map(text => ({ text })),
  ]
}

/** What other than printable characters is in an error message must not move the cursor. */
function cut(text: string, columns: number): string {
  const characters = Array.from(text.replace(/\p{Cc}/gu, ' '))
  return characters.length <= columns ? characters.join('') : [...characters.slice(0, columns - 1), '…'].join('')
}
