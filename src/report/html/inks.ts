/**
 * The colours of a plot. A plot is drawn once and read in a light or a dark page, so each is a variable of the page's
 * style. Pure.
 */
export const INKS = [
  ...(['text', 'muted', 'line', 'page', 'accent', 'loss', 'band-a', 'band-b'] as const),
  ...(['detect', 'fence', 'promote', 'first-write'] as const),
] as const

export type Ink = (typeof INKS)[number]

/** An ink as a `fill` or a `stroke`. */
export const paint = (ink: Ink): string => `var(--${ink})`
