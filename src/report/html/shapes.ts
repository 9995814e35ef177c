/**
 * The shapes of a plot, in pixels. Pure.
 */
import { paint, type Ink } from './inks.ts'
import { markup, type Markup } from './markup.ts'

/** A tenth of a pixel is what can be seen, and the rest makes the file large. */
export const px = (pixels: number): number => Math.round(pixels * 10) / 10

/** What the browser shows when the pointer rests on the shapes. */
export const told = (text: string, shapes: readonly Markup[]): Markup =>
  markup`<g><title>${text}</title>${shapes}</g>\n`

export interface Box {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

/** Filled, and a pixel wide at least. */
export const bar = ({ left, right, top, bottom }: Box, ink: Ink): Markup =>
  markup`<rect x="${px(left)}" y="${px(top)}" width="${px(Math.max(1, right - left))}" height="${px(bottom - top)}" fill="${paint(ink)}"/>`

/** As wide as {@link bar}, and told from one without its colour. */
export const hollow = ({ left, right, top, bottom }: Box, ink: Ink): Markup =>
  markup`<rect x="${px(left + 1)}" y="${px(top + 1)}" width="${px(Math.max(1, right - left - 2))}" height="${px(Math.max(1, bottom - top - 2))}" fill="${paint('page')}" stroke="${paint(ink)}" stroke-width="2"/>`

/** A point of data: its middle, and its width or height. */
export interface Point {
  readonly x: number
  readonly y: number
  readonly size: number
}

/** Filled. */
export const dot = ({ x, y, size }: Point, ink: Ink): Markup =>
  markup`<circle cx="${px(x)}" cy="${px(y)}" r="${px(size / 2)}" fill="${paint(ink)}"/>`

/** What is under it does not show through. */
export const ring = ({ x, y, size }: Point, ink: Ink): Markup =>
  markup`<circle cx="${px(x)}" cy="${px(y)}" r="${px(size / 2)}" fill="${paint('page')}" stroke="${paint(ink)}" stroke-width="2"/>`

/** Filled. */
export const triangle = ({ x, y, size }: Point, ink: Ink): Markup =>
  markup`<path d="M${px(x)} ${px(y - size / 2)}l${px(size / 2)} ${size}h${-size}z" fill="${paint(ink)}"/>`

/** What is under it does not show through. */
export const diamond = ({ x, y, size }: Point, ink: Ink): Markup =>
  markup`<path d="M${px(x)} ${px(y - size / 2)}l${px(size / 2)} ${px(size / 2)}l${px(-size / 2)} ${px(size / 2)}l${px(-size / 2)} ${px(-size / 2)}z" fill="${paint('page')}" stroke="${paint(ink)}" stroke-width="2"/>`

/** How one line is told from another without its colour. */
export const DASHES = { solid: 'none', dashed: '6 4', dotted: '2 3' } as const

/** A line that stays at each value until the next. */
export function steps(points: readonly Pick<Point, 'x' | 'y'>[], { ink, dashes }: LineStyle): Markup {
  const [first, ...rest] = points
  if (first === undefined) return markup``
  const d = `M${px(first.x)} ${px(first.y)}${rest.map(({ x, y }) => `H${px(x)}V${px(y)}`).join('')}`
  return markup`<path d="${d}" fill="none" stroke="${paint(ink)}" stroke-width="2" stroke-dasharray="${DASHES[dashes]}"/>\n`
}

export interface LineStyle {
  readonly ink: Ink
  readonly dashes: keyof typeof DASHES
}
