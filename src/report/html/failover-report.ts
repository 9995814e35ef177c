/**
 * The report on one failover, or on many trials of it. Pure.
 */
import { formatCount, formatMs } from '../format.ts'
import type { AnyRecord, AnyResult, AnyTrials } from '../phases.ts'
import { latencyTable, phasesTable, sentence, settingSection, walSection, writesSection } from './failover-sections.ts'
import { figureOf } from './figure.ts'
import { answersFigure, latencyFigure } from './outage-figures.ts'
import { measuredSections } from './measured-section.ts'
import { outageWindow } from './outage-window.ts'
import { pageOf, type Page, type Section } from './page.ts'
import type { KeyFigure } from './table.ts'
import { trialsSection } from './trials-section.ts'

export interface FailoverReportInput {
  readonly document: AnyRecord | AnyTrials
  /** The evidence of the document's trials, in their order. Without any the page has no plot over time. */
  readonly runs: readonly AnyResult[]
}

/** One HTML page on a failover; on trials, their distribution first and then the trial with the median outage. */
export function failoverReport({ document, runs }: FailoverReportInput): string {
  const trials = 'trials' in document ? document.trials : [document]
  const run = medianRun(runs)
  const record = run?.record ?? medianOf(trials, ({ outageMs }) => outageMs)
  if (record === undefined) throw new RangeError('no trials')
  const sections = [
    outageSection(record, run),
    writesSection(record),
    { title: 'Latency', body: [latencyTable(record, run)] },
    walSection(record),
    ...measuredSections(record),
    settingSection(record),
  ]
  if (!('trials' in document) || trials.length === 1)
    return pageOf({ ...single(record), sections, document, documentFile: 'failover-record.json' })
  const number = trialNumber(trials, { record, index: run === undefined ? -1 : runs.indexOf(run) })
  const named = sections.map(section => ({ ...section, title: `Trial ${number}: ${lowerFirst(section.title)}` }))
  return pageOf({
    ...several(document),
    sections: [trialsSection(document), ...named],
    document,
    documentFile: 'failover-trials.json',
  })
}

const medianRun = (runs: readonly AnyResult[]): AnyResult | undefined => medianOf(runs, ({ record }) => record.outageMs)

/** The one in the middle by its figure, the lower of two; the first where none has a figure. */
function medianOf<T>(all: readonly T[], figureIn: (one: T) => number | null): T | undefined {
  const measured = all
    .flatMap(one => {
      const value = figureIn(one)
      return value === null ? [] : [{ one, value }]
    })
    .sort((a, b) => a.value - b.value)
  return measured[Math.floor((measured.length - 1) / 2)]?.one ?? all[0]
}

const trialNumber = (
  trials: readonly AnyRecord[],
  { record, index }: { readonly record: AnyRecord; readonly index: number },
): number => Math.max(trials.indexOf(record), index, 0) + 1

/** `WAL` stays as it is. */
const lowerFirst = (title: string): string =>
  /^[A-Z]{2}/.test(title) ? title : `${title.slice(0, 1).toLowerCase()}${title.slice(1)}`

function outageSection(record: AnyRecord, run: AnyResult | undefined): Section {
  if (run === undefined) return { title: 'Outage', body: [phasesTable(record)] }
  const window = outageWindow(run)
  return {
    title: 'Outage',
    body: [figureOf(answersFigure(window, 'answers')), figureOf(latencyFigure(window, 'latency')), phasesTable(record)],
  }
}

type Head = Pick<Page, 'title' | 'setting' | 'summary' | 'figures'>

function single(record: AnyRecord): Head {
  const { outageMs, writes, timeline } = record
  const outage =
    outageMs === null
      ? 'How long nobody could write is not known.'
      : `Nobody could write for ${formatMs(outageMs)}: from the last acknowledged write to the first on ${record.newPrimary}, which took over${timeline.after === null ? '' : ` on timeline ${timeline.after}`}.`
  return {
    title: `${labelOf(record)}${changeOf(record.fault)}: ${record.oldPrimary} to ${record.newPrimary ?? 'nobody'}`,
    setting: settingLine(record, record),
    summary: `${struck(record)} ${outage} ${goneSentence(writes, !('survivorsRead' in record) || record.survivorsRead)}`,
    figures: [
      {
        name: 'Outage',
        value: outageMs === null ? 'unknown' : formatMs(outageMs),
        note: 'last acknowledgement before to first after',
      },
      ...writeFigures(writes),
      { name: 'Verdict', value: record.verdict, note: sentence(record.why), isLoss: record.verdict === 'lost-writes' },
    ],
  }
}

function several(document: AnyTrials): Head {
  const { outageMs, writes, verdicts, n, requested, trials } = document
  const withLoss = trials.filter(trial => trial.writes.lost > 0).length
  const outage =
    outageMs === null
      ? 'In none is it known how long nobody could write.'
      : `The outage: median ${formatMs(outageMs.median)}, from ${formatMs(outageMs.min)} to ${formatMs(outageMs.max)}.`
  const interrupted = n < requested ? ` ${requested} were asked for.` : ''
  return {
    title: `${labelOf(trials[0])}${changeOf(document.fault)}: ${n} trials`,
    setting: settingLine(document, trials[0]),
    summary: `${n} times the primary ${faultVerb(document.fault)}${loadOf(document)}.${interrupted} ${outage} ${goneSentence(writes)}${withLoss > 0 ? ` They were lost in ${withLoss} of ${n} trials.` : ''}`,
    figures: [
      {
        name: 'Outage, median',
        value: outageMs === null ? 'unknown' : formatMs(outageMs.median),
        note: outageMs === null ? '' : `${formatMs(outageMs.min)} to ${formatMs(outageMs.max)}, n ${outageMs.n}`,
      },
      ...writeFigures(writes),
      {
        name: 'Durable',
        value: `${verdicts.durable} of ${n} trials`,
        note: `lost-writes ${verdicts['lost-writes']}, unknown ${verdicts.unknown}`,
      },
    ],
  }
}

/** What whoever measured it has called it. */
const labelOf = (record: AnyRecord | undefined): string =>
  record !== undefined && 'label' in record && record.label !== null ? `${record.label}. ` : ''

const settingLine = (
  { postgresVersion, runtime }: Pick<AnyRecord, 'postgresVersion' | 'runtime'>,
  first: Pick<AnyRecord, 'synchronousCommit' | 'at' | 'labVersion'> | undefined,
): string =>
  [
    `PostgreSQL ${postgresVersion}`,
    ...(runtime === null ? [] : [`runtime ${runtime}`]),
    `synchronous_commit ${first?.synchronousCommit ?? ''}`,
    ...(first === undefined
      ? []
      : [`pg-failover-lab ${first.labVersion}`, `${first.at.slice(0, 16).replace('T', ' ')} UTC`]),
  ].join(', ')

const FAULTS: Readonly<Record<string, { readonly noun: string; readonly verb: string }>> = {
  crash: { noun: 'a crash', verb: 'crashed' },
  stop: { noun: 'a fast shutdown', verb: 'was stopped' },
  switchover: { noun: 'a switchover', verb: 'was switched over' },
  command: { noun: 'a command', verb: 'was taken away by a command' },
}

/** A switchover is planned, and no failover. */
const changeOf = (fault: string): string =>
  fault === 'switchover' ? 'Switchover' : `Failover after ${faultNoun(fault)}`

const faultNoun = (fault: string): string => FAULTS[fault]?.noun ?? fault

const faultVerb = (fault: string): string => FAULTS[fault]?.verb ?? `got the fault ${fault}`

const struck = (record: AnyRecord): string =>
  `Node ${record.oldPrimary}, the primary, ${faultVerb(record.fault)}${loadOf(record)}.`

const loadOf = ({ load }: Pick<AnyRecord, 'load'>): string =>
  ` under ${formatCount(load.ratePerSecond)} writes a second on ${load.connections} connections`

const goneSentence = ({ acknowledged, lost }: AnyRecord['writes'], isKnown = true): string =>
  !isKnown
    ? 'What is gone is not known.'
    : lost === 0
      ? `None of ${formatCount(acknowledged)} acknowledged writes is gone.`
      : `${formatCount(lost)} of ${formatCount(acknowledged)} acknowledged writes ${lost === 1 ? 'is' : 'are'} gone.`

const writeFigures = ({ acknowledged, lost, indeterminate, recovered }: AnyRecord['writes']): KeyFigure[] => [
  { name: 'Lost', value: formatCount(lost), note: `of ${formatCount(acknowledged)} acknowledged`, isLoss: lost > 0 },
  { name: 'Indeterminate', value: formatCount(indeterminate), note: `${formatCount(recovered)} of them recovered` },
]
