/**
 * A plot as inline SVG. Pure.
 */
import { paint } from './inks.ts'
import { markup, type Markup } from './markup.ts'

/** The width in pixels that every plot is drawn for; the page scales it, and never below what can be read. */
export const PLOT_WIDTH = 920

/** Of the text in a plot, in pixels: still 11 where the page is narrow and the plot is scaled to 800. */
const FONT_SIZE = 13

/** Below the frame: the labels of the axis and its name. */
const BELOW_PX = 56

export interface Plot {
  /** What a screen reader says instead of the plot. */
  readonly label: string
  readonly frame: Frame
  /** Axes, marks and shapes, in pixels. What comes later covers what was before. */
  readonly drawing: readonly Markup[]
}

/** Between the axes: the edges, in pixels from the upper left corner of the plot. */
export interface Frame {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

/** Draws the plot. */
export function plotOf({ label, frame, drawing }: Plot): Markup {
  const height = frame.bottom + BELOW_PX
  return markup`<svg role="img" aria-label="${label}" width="${PLOT_WIDTH}" height="${height}" viewBox="0 0 ${PLOT_WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="${FONT_SIZE}" fill="${paint('text')}">
${drawing}</svg>`
}

/** A frame below `top` with room beside it for labels and names. */
export const frameOf = ({ top, height, left = 84, right = 32 }: FrameOptions): Frame => ({
  left,
  right: PLOT_WIDTH - right,
  top,
  bottom: top + height,
})

/** In pixels. */
export interface FrameOptions {
  readonly top: number
  readonly height: number
  /** @default 84 */
  readonly left?: number
  /** @default 32 */
  readonly right?: number
}
