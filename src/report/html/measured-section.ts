/**
 * What a page says of a failover beyond its outage and its writes: what clients met, and of a cluster that somebody else manages
 * what was done, what is there at the end and what could not be seen. Pure.
 */
import type { MeasuredRecord } from '../../measure/measured.ts'
import type { RunRecord } from '../../measure/record.ts'
import { formatCount, formatMs } from '../format.ts'
import type { AnyRecord } from '../phases.ts'
import { markup, type Markup } from './markup.ts'
import type { Section } from './page.ts'
import { figure, loss, table } from './table.ts'

/** Of every record. */
export const clientsTable = (record: RunRecord): Markup =>
  table({
    caption: 'What clients met beside errors',
    head: ['what', 'count'],
    rows: [
      ['connections that hung', figure(formatCount(record.hungConnections))],
      ['reads that the old primary answered as one after the promotion', figure(timesOf(record.readsOnOldPrimary))],
      [
        'writes that it accepted after that: split brain',
        loss(record.splitBrainWrites ?? 0, timesOf(record.splitBrainWrites)),
      ],
    ],
  })

const timesOf = (times: number | null): string => (times === null ? 'not known' : formatCount(times))

/** None for the lab's own cluster. */
export const measuredSections = (record: AnyRecord): readonly Section[] =>
  'nodesAtEnd' in record
    ? [{ title: 'What was seen', body: [runTable(record), endTable(record), unseenList(record)] }]
    : []

const runTable = ({ action, change, systemIdentifier, longestOutageMs }: MeasuredRecord): Markup =>
  table({
    caption: 'What was done',
    head: ['what', 'value'],
    rows: [
      ['command', markup`<code>${action.command}</code>`],
      [
        'its exit code',
        action.exitCode === null ? 'none: it had not ended, or a signal ended it' : String(action.exitCode),
      ],
      ['it returned after', action.returnedAfterMs === null ? 'it had not ended' : formatMs(action.returnedAfterMs)],
      ['change', change],
      ['longest time without an acknowledgement', longestOutageMs === null ? 'it goes on' : formatMs(longestOutageMs)],
      ['system identifier', systemIdentifier ?? 'not seen'],
    ],
  })

const endTable = ({ nodesAtEnd }: MeasuredRecord): Markup =>
  table({
    caption: 'Every server that has a URL, at the end',
    head: ['server', 'role', 'own address', 'timeline', 'rows that only it has'],
    rows: nodesAtEnd.map(({ node, role, server, rowsOnlyHere }) => [
      node,
      role,
      server?.address ?? 'not seen',
      String(server?.timeline ?? '–'),
      rowsOnlyHere === null ? '–' : loss(rowsOnlyHere, formatCount(rowsOnlyHere)),
    ]),
  })

const unseenList = ({ unseen }: MeasuredRecord): Markup =>
  unseen.length === 0 ? markup`` : markup`<p>Not seen:</p><ul>${unseen.map(what => markup`<li>${what}</li>`)}</ul>`
