/**
 * A plot as inline SVG, drawn by echarts without a browser. Pure.
 */
import type { EChartsCoreOption } from 'echarts/core'
import { INKS, withVariables } from './inks.ts'
import { escapeHtml, trusted, type Markup } from './markup.ts'

/** The width in pixels that every plot is drawn for; the page scales it, and never below what can be read. */
export const PLOT_WIDTH = 920

/** Of the text in a plot, in pixels: still 11 where the page is narrow and the plot is scaled to 800. */
export const FONT_SIZE = 13

export interface Plot {
  /** Unique on its page. */
  readonly id: string
  /** What a screen reader says instead of the plot. */
  readonly label: string
  /** In pixels. */
  readonly height: number
  readonly option: EChartsCoreOption
}

/** Draws the plot. echarts is loaded here and not before: most commands never draw. */
export async function drawPlot({ id, label, height, option }: Plot): Promise<Markup> {
  const [core, charts, components, renderers] = await Promise.all([
    import('echarts/core'),
    import('echarts/charts'),
    import('echarts/components'),
    import('echarts/renderers'),
  ])
  core.use([charts.BarChart, charts.CustomChart, charts.LineChart, charts.ScatterChart])
  core.use([components.GridComponent, renderers.SVGRenderer])
  const chart = core.init(null, null, { renderer: 'svg', ssr: true, width: PLOT_WIDTH, height })
  try {
    chart.setOption({
      animation: false,
      textStyle: { color: INKS.text, fontSize: FONT_SIZE, fontFamily: 'system-ui, sans-serif' },
      ...option,
    })
    return trusted(labelled(chart.renderToSVGString(), { id, label }))
  } finally {
    chart.dispose()
  }
}

/**
 * Without what echarts writes for its own script, for a pointer, and for a file of its own. The ids begin with the plot's:
 * echarts counts its own through the whole process. So the same plot is the same text.
 */
const labelled = (svg: string, { id, label }: Pick<Plot, 'id' | 'label'>): string =>
  withVariables(svg)
    .replaceAll(/<style[^]*?<\/style>/g, '')
    .replaceAll(/ (?:ecmeta_\w+|class|xmlns(?::\w+)?)="[^"]*"/g, '')
    .replaceAll(/\bzr\d+-/g, () => `${id}-`)
    .replace('<svg ', () => `<svg role="img" aria-label="${escapeHtml(label)}" `)
