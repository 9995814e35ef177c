/**
 * What a failover record says, section by section. Pure.
 */
import type { RunRecord } from '../../measure/record.ts'
import { summaryOf, type Summary } from '../../measure/statistics.ts'
import { measureOutage } from '../../measure/outage.ts'
import { formatLsn } from '../../postgres/lsn.ts'
import { besides } from '../failover.ts'
import { formatBytes, formatCount, formatLagMs, formatMs } from '../format.ts'
import { phasesOf, type AnyRecord, type AnyResult } from '../phases.ts'
import { markup, type Markup } from './markup.ts'
import { clientsTable } from './measured-section.ts'
import type { Section } from './page.ts'
import { figure, loss, table, type Cell } from './table.ts'

/** At most so many ids are shown; the record has them all. */
const SHOWN_IDS = 12

/** Writes and errors: what the client was told, what is there afterwards, and the verdict. */
export const writesSection = (record: RunRecord): Section => ({
  title: 'Writes',
  body: [
    markup`<p>Verdict: <strong${record.writes.lost > 0 ? markup` class="loss"` : undefined}>${record.verdict}</strong>. ${sentence(record.why)}</p>`,
    markup`<div class="beside">${writesTable(record.writes)}${errorsTable(record.errors)}${clientsTable(record)}</div>`,
    lostIds(record.lostIds),
  ],
})

/** The facts about writes, with what each count means. */
export const writesTable = (writes: RunRecord['writes']): Markup =>
  table({
    caption: 'What the client was told, and what is in the database afterwards',
    head: ['writes', 'count', 'meaning'],
    rows: [
      ['attempted', figure(formatCount(writes.attempted)), 'sent to the primary'],
      ['acknowledged', figure(formatCount(writes.acknowledged)), 'the client was told that it is committed'],
      ['failed', figure(formatCount(writes.failed)), 'certainly did not happen'],
      ['indeterminate', figure(formatCount(writes.indeterminate)), 'may have happened'],
      ['lost', loss(writes.lost, formatCount(writes.lost)), 'acknowledged, and gone'],
      ['recovered', figure(formatCount(writes.recovered)), 'indeterminate, and there'],
      ['unexpected', figure(formatCount(writes.unexpected)), 'there, although failed or never attempted'],
    ],
  })

const errorsTable = (errors: RunRecord['errors']): Markup =>
  Object.keys(errors).length === 0
    ? markup`<p>No error was met.</p>`
    : table({
        caption: 'Errors, of writes and of attempts to connect',
        head: ['code', 'count'],
        rows: Object.entries(errors).map(([code, count]) => [markup`<code>${code}</code>`, figure(formatCount(count))]),
      })

function lostIds(ids: readonly number[]): Markup {
  if (ids.length === 0) return markup``
  const more = ids.length > SHOWN_IDS ? `, and ${formatCount(ids.length - SHOWN_IDS)} more` : ''
  return markup`<p>Lost ids: <span class="loss">${ids.slice(0, SHOWN_IDS).join(', ')}</span>${more}. The record has them all.</p>`
}

/** Begins with a capital, ends with a full stop. */
export const sentence = (fact: string): string => `${fact.slice(0, 1).toUpperCase()}${fact.slice(1)}.`

/** The phases, as a table of milliseconds; nothing where the outage has no end. */
export function phasesTable(record: AnyRecord): Markup {
  const { outageMs, resolutionMs } = record
  return outageMs === null
    ? markup`<p>The outage is unknown: nothing was acknowledged before it, or nothing after.</p>`
    : table({
        caption: 'The outage by phase: from the last acknowledged write before to the first after',
        head: ['phase', 'took', 'ends when'],
        rows: [
          ...phasesOf(record).map(({ text, ms, ends }) => [text, figure(formatMs(ms)), ends]),
          ['outage', figure(formatMs(outageMs)), resolutionMs === null ? '' : `to within ${formatMs(resolutionMs)}`],
        ],
      })
}

/** Latencies of acknowledged writes: of all, and of those due before, in and after the outage. */
export function latencyTable(record: RunRecord, run: AnyResult | undefined): Markup {
  if (record.latencyMs === null) return markup`<p>No write was acknowledged, so none has a latency.</p>`
  const outage = run === undefined ? undefined : measureOutage(run.history, run.milestones)
  const dueIn = (from: number, to: number): number[] =>
    (run?.history.writes ?? []).flatMap(({ dueAt, settledAt, outcome }) =>
      outcome.kind === 'acknowledged' && dueAt >= from && dueAt < to ? [settledAt - dueAt] : [],
    )
  const parts: (readonly [string, readonly number[]])[] =
    outage === undefined
      ? []
      : [
          ['due before the outage', dueIn(-Infinity, outage.lastAcknowledgedAt)],
          ['due in the outage', dueIn(outage.lastAcknowledgedAt, outage.firstAcknowledgedAt)],
          ['due after it', dueIn(outage.firstAcknowledgedAt, Infinity)],
        ]
  return table({
    caption: 'Latency of acknowledged writes, from when each was due',
    head: ['writes', 'n', 'p50', 'p95', 'p99', 'max'],
    rows: [
      ['all', ...summaryCells(record.latencyMs)],
      ...parts.flatMap(([name, values]) => (values.length === 0 ? [] : [[name, ...summaryCells(summaryOf(values))]])),
    ],
  })
}

const summaryCells = ({ n, p50, p95, p99, max }: Summary): Cell[] => [
  figure(formatCount(n)),
  ...[p50, p95, p99, max].map(ms => figure(formatMs(ms))),
]

/** How far each standby was behind when the fault struck, and where the timelines part. */
export const walSection = (record: RunRecord): Section => ({
  title: 'WAL',
  body: [
    Object.keys(record.lagAtFault).length === 0
      ? markup`<p>No standby's lag at the fault is known.</p>`
      : table({
          caption: 'Lag at the fault: WAL that the standby had not received',
          head: ['standby', 'behind', 'for', 'age of the look'],
          rows: Object.entries(record.lagAtFault).map(([node, lag]) => [
            node,
            figure(formatBytes(lag.bytes)),
            figure(formatLagMs(lag)),
            figure(formatMs(lag.sampleAgeMs)),
          ]),
        }),
    table({
      caption: 'Where the timelines part',
      head: ['what', 'value'],
      rows: [
        ['old primary', record.oldPrimary],
        ['new primary', record.newPrimary ?? 'none was seen'],
        ['timeline', `${record.timeline.before ?? 'not seen'} to ${record.timeline.after ?? 'not seen'}`],
        ['fork LSN', record.forkLsn === null ? 'not known' : formatLsn(record.forkLsn)],
        ['WAL of the old primary past the fork', walPastFork(record.walBytesLost)],
      ],
    }),
  ],
})

const walPastFork = (bytes: number | null): string =>
  bytes === null ? 'not known: it cannot be read here' : formatBytes(bytes)

/** The server's settings, the load and the machine. */
export const settingSection = (record: RunRecord): Section => ({
  title: 'Setting',
  body: [
    markup`<div class="beside">`,
    table({
      caption: 'Settings of the old primary before the fault',
      head: ['setting', 'value'],
      rows: Object.entries(record.settings).map(([name, value]) => [
        markup`<code>${name}</code>`,
        value === '' ? markup`<code>''</code>` : markup`<code>${value}</code>`,
      ]),
    }),
    table({
      caption: 'Where and how it was measured',
      head: ['what', 'value'],
      rows: [
        ['when', record.at],
        ['pg-failover-lab', record.labVersion],
        ['fault', record.fault],
        ...(record.cutMs > 0 ? [['standbys cut off before it', formatMs(record.cutMs)] as const] : []),
        ...besides(record.afterPromotion).map(line => ['besides', line] as const),
        ['load', `${formatCount(record.load.ratePerSecond)} writes a second, ${record.load.connections} connections`],
        ['synchronous_commit', record.synchronousCommit],
        ['PostgreSQL', record.postgresVersion],
        ...(record.runtime === null ? [] : [['runtime', record.runtime] as const]),
        ...machineRows(record.machine),
      ],
    }),
    markup`</div>`,
  ],
})

/** The machine, as rows of a table. */
export const machineRows = ({ platform, cpus, node }: RunRecord['machine']): Cell[][] => [
  ['platform', platform],
  ['CPUs', String(cpus)],
  ['Node.js', node],
]
