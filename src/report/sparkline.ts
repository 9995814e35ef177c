/**
 * A row of figures as a line of blocks. Pure.
 */

const BLOCKS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']

/** One block a value, against the largest; a value of 0 is a dot, so that nothing is not taken for little. */
export function sparkline(values: readonly number[]): string {
  const most = values.reduce((max, value) => Math.max(max, value), 0)
  return values
    .map(value => (value <= 0 ? '·' : (BLOCKS[Math.ceil((value / most) * BLOCKS.length) - 1] ?? '')))
    .join('')
}

/** How many instants fall into each bin of `binMs` from `from` to `to`; the last bin may be cut short. */
export function binned(
  instants: readonly number[],
  range: { readonly from: number; readonly to: number; readonly binMs: number },
): number[] {
  const { from, to, binMs } = range
  const bins = new Array<number>(Math.max(0, Math.ceil((to - from) / binMs))).fill(0)
  for (const at of instants) {
    const bin = Math.floor((at - from) / binMs)
    if (at < to && bins[bin] !== undefined) bins[bin]++
  }
  return bins
}

/** The largest value of each of `width` equal parts, so that no peak is lost. */
export function peaks(values: readonly number[], width: number): readonly number[] {
  if (values.length <= width) return values
  return Array.from({ length: width }, (_, part) =>
    values
      .slice(Math.floor((part * values.length) / width), Math.floor(((part + 1) * values.length) / width))
      .reduce((max, value) => Math.max(max, value), 0),
  )
}
