/**
 * The colours of a plot. A plot is drawn once and read in a light or a dark page: it is drawn in stand-ins, and each is
 * then replaced by a variable of the page's style. Pure.
 */

/** Each ink's stand-in: a colour that nothing else uses, and that echarts writes out as it is. */
export const INKS = {
  text: '#f0f001',
  muted: '#f0f002',
  line: '#f0f003',
  page: '#f0f004',
  accent: '#f0f005',
  loss: '#f0f006',
  bandA: '#f0f007',
  bandB: '#f0f008',
  detect: '#f0f009',
  fence: '#f0f00a',
  promote: '#f0f00b',
  firstWrite: '#f0f00c',
} as const

export type Ink = keyof typeof INKS

/** The variable of the style sheet that an ink becomes, such as `--first-write`. */
export const variableOf = (ink: Ink): string => `--${ink.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`

/** An SVG with every stand-in replaced by its variable. */
export const withVariables = (svg: string): string =>
  Object.entries(INKS).reduce(
    (drawn, [ink, standIn]) => drawn.replaceAll(standIn, `var(${variableOf(ink as Ink)})`),
    svg,
  )
