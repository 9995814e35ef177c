/**
 * The axes of a plot: labels, names, and the lines that lead the eye. Pure.
 */
import { paint } from './inks.ts'
import { markup, type Markup } from './markup.ts'
import type { Frame } from './plot.ts'
import type { Scale } from './scales.ts'
import { px } from './shapes.ts'

export interface Axis {
  /** Quantity and unit. */
  readonly name: string
  readonly scale: Scale
  readonly format: (value: number) => string
}

/** Along the bottom. */
export const xAxis = (frame: Frame, { name, scale, format }: Axis): Markup => markup`
<path d="M${frame.left} ${frame.bottom}H${frame.right}${scale.ticks.map(tick => `M${px(scale.at(tick))} ${frame.bottom}v5`).join('')}" fill="none" stroke="${paint('line')}"/>
<g fill="${paint('muted')}" text-anchor="middle">
${scale.ticks.map(tick => markup`<text x="${px(scale.at(tick))}" y="${frame.bottom + 20}">${format(tick)}</text>\n`)}<text x="${px((frame.left + frame.right) / 2)}" y="${frame.bottom + 44}">${name}</text>
</g>
`

/** Up the left side, with a line across at each label; its name stands beside it, and so is out of the way of marks. */
export const yAxis = (frame: Frame, { name, scale, format }: Axis): Markup => markup`
<path d="${scale.ticks.map(tick => `M${frame.left} ${px(scale.at(tick))}H${frame.right}`).join('')}" fill="none" stroke="${paint('line')}"/>
<g fill="${paint('muted')}" text-anchor="end">
${scale.ticks.map(tick => markup`<text x="${frame.left - 8}" y="${px(scale.at(tick) + 4.5)}">${format(tick)}</text>\n`)}<text transform="translate(16 ${px((frame.top + frame.bottom) / 2)}) rotate(-90)" text-anchor="middle">${name}</text>
</g>
`
