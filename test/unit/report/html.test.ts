/**
 * The HTML reports, as text: what they say, and what they must never have in them.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { DurabilityCell, DurabilityDocument } from '../../../src/measure/durability.ts'
import type { LagDocument } from '../../../src/measure/lag.ts'
import type { FailoverRecord } from '../../../src/measure/record.ts'
import { spreadOf, summaryOf } from '../../../src/measure/statistics.ts'
import { summariseTrials } from '../../../src/measure/trials.ts'
import { parseLsn } from '../../../src/postgres/lsn.ts'
import { toJson } from '../../../src/report/json.ts'
import { downloadLink } from '../../../src/report/html/embed.ts'
import { INKS, variableOf, type Ink } from '../../../src/report/html/inks.ts'
import { escapeHtml, markup } from '../../../src/report/html/markup.ts'
import { outageWindow } from '../../../src/report/html/outage-window.ts'
import { durabilityReport, failoverReport, lagReport, writeReport } from '../../../src/report/html/reports.ts'
import { STYLE } from '../../../src/report/html/style.ts'
import type { History, Outcome, Write } from '../../../src/workload/history.ts'
import type { TrialResult } from '../../../src/workload/trial.ts'
import { catchLabError } from '../../support/catch-lab-error.ts'

const HOSTILE = '</script><img src="x" onerror=alert(1)>'

describe('text in HTML', () => {
  test('has no character that HTML reads', () => {
    expect(escapeHtml(`<a href="x">'&'</a>`)).toBe('&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;')
  })

  test('is escaped in a template; markup is not, and undefined is nothing', () => {
    expect(markup`<b>${'<i>'}${markup`<i>`}${undefined}${[1, '&']}</b>`.html).toBe('<b>&lt;i&gt;<i>1&amp;</b>')
  })
})

describe('the report on a failover', () => {
  test('says in its first paragraph how long nobody could write and how much is gone', async () => {
    const html = await failoverReport({ document: record(), runs: [run()] })
    expect(html).toMatch(/<p class="summary">.*Nobody could write for 80\.0 ms.*2 of 5 acknowledged writes are gone/)
  })

  test('has the record, the phases, the errors, the lost ids, the fork and the setting', async () => {
    const text = textOf(await failoverReport({ document: record(), runs: [run()] }))
    for (const fact of ['detect 40.0 ms', 'ECONNREFUSED 12', 'Lost ids: 3, 4', '0/3000148', '1 to 2', '4.0 kB'])
      expect(text).toContain(fact)
    for (const fact of ['synchronous_commit on', 'linux x64', 'replica1 312 bytes 2.0 ms 3.0 ms', 'due in the outage'])
      expect(text).toContain(fact)
  })

  test('draws two plots, each with a name, a caption and colours of the page alone', async () => {
    const html = await failoverReport({ document: record(), runs: [run()] })
    const svgs = plotsOf(html)
    expect(svgs).toHaveLength(2)
    for (const svg of svgs) {
      expect(svg).toMatch(/^<svg role="img" aria-label="[^"]+"/)
      const paints = [...svg.matchAll(/ (?:fill|stroke)="(?!none|transparent)([^"]*)"/g)].map(([, paint]) => paint)
      expect(paints.filter(paint => !/^var\(--[a-z-]+\)$|^#000$/.test(paint!))).toEqual([])
    }
    expect(html.match(/<figcaption>/g)).toHaveLength(2)
  })

  test('is red where something acknowledged is gone, and nowhere else', async () => {
    const durable = record({ lostIds: [], verdict: 'durable', writes: { ...record().writes, lost: 0 } })
    const calm = await failoverReport({ document: durable, runs: [{ ...run(), record: durable }] })
    expect(calm.replace(STYLE, '')).not.toMatch(/class="[^"]*\bloss\b|var\(--loss\)/)
    expect(await failoverReport({ document: record(), runs: [run()] })).toMatch(/fill="var\(--loss\)"/)
  })

  test('is the same text for the same run', async () => {
    const once = await failoverReport({ document: record(), runs: [run()] })
    expect(await failoverReport({ document: record(), runs: [run()] })).toBe(once)
  })

  test('says that the outage is unknown when it has no end, and draws the run nevertheless', async () => {
    const document = record({ outageMs: null, phases: null })
    const writes = run().history.writes.filter(({ settledAt }) => settledAt < 1050)
    const html = await failoverReport({ document, runs: [{ ...run(writes), record: document }] })
    expect(textOf(html)).toContain('How long nobody could write is not known.')
    expect(plotsOf(html)).toHaveLength(2)
  })

  test('has no plot over time without evidence', async () => {
    expect(plotsOf(await failoverReport({ document: record(), runs: [] }))).toEqual([])
  })

  test('of trials begins with their distribution, and goes on with the one in the middle', async () => {
    const records = [record({ outageMs: 90 }), record({ outageMs: 70 }), record({ outageMs: 80 })]
    const runs = records.map(each => ({ ...run(), record: each }))
    const html = await failoverReport({ document: summariseTrials(records, 3), runs })
    expect(plotsOf(html)).toHaveLength(4)
    expect(textOf(html)).toContain('median 80.0 ms, from 70.0 ms to 90.0 ms')
    expect([...html.matchAll(/<h2>([^<]*)/g)].map(([, title]) => title).slice(0, 2)).toEqual([
      'Trials',
      'Trial 3: outage',
    ])
  })
})

describe('the window around an outage', () => {
  test('counts every write and every refused connection once', () => {
    const { bins } = outageWindow(run())
    const total = (of: (bin: (typeof bins)[number]) => number): number => bins.reduce((sum, bin) => sum + of(bin), 0)
    expect(total(({ kept }) => kept)).toBe(3)
    expect(total(({ lost }) => lost)).toBe(2)
    expect(total(({ indeterminate }) => indeterminate)).toBe(1)
    expect(total(({ failed }) => failed)).toBe(1)
    expect(total(({ refused }) => refused)).toBe(2)
  })

  test('marks the phases one after the other, from the last acknowledgement to the first after it', () => {
    const [fault, ...phases] = outageWindow(run()).marks
    expect(fault).toEqual({ at: 0, text: 'crash: 0 ms' })
    expect(phases.map(({ at, until }) => [at, until])).toEqual([
      [-5, 35],
      [35, 36],
      [36, 70],
      [70, 75],
    ])
  })
})

describe('the reports on lag and durability', () => {
  test('lag: a line and a row for each standby, the resolution and the cost of looking', async () => {
    const html = await lagReport(lag())
    expect(plotsOf(html)).toHaveLength(1)
    for (const fact of ['replica1 3 2.0 ms', 'replica2 0 –', 'not seen', 'with / without 0.96'])
      expect(textOf(html)).toContain(fact)
  })

  test('lag: a curve of 100,000 looks is drawn with at most four points a pixel or two, its peak among them', async () => {
    const curve = Array.from({ length: 100_000 }, (_, at) => ({ at, bytes: at === 77_777 ? 65_536 : 0 }))
    const html = await lagReport(lag(curve))
    expect(plotsOf(html)[0]!.length).toBeLessThan(100_000)
    expect(textOf(html)).toMatch(/64 kB/)
  })

  test('durability: a cell for each setting, lost writes in red, what was not measured as that', async () => {
    const html = await durabilityReport(durability())
    expect(plotsOf(html)).toHaveLength(1)
    expect(html).toContain('<span class="loss">lost 130 of 1,100</span>')
    expect(html).toContain('<span>lost 0 of 1,100</span>')
    expect(textOf(html)).toContain('not measured')
    expect(textOf(html)).toContain('1 of 2 settings lost acknowledged writes. None of the 1 that promise')
  })
})

describe('every report', () => {
  const pages = {
    failover: { document: record(), draw: () => failoverReport({ document: record(), runs: [run()] }) },
    lag: { document: lag(), draw: () => lagReport(lag()) },
    durability: { document: durability(), draw: () => durabilityReport(durability()) },
  }

  test.each(Object.entries(pages))('%s: holds its document twice, as data and as a link', async (_, page) => {
    const html = await page.draw()
    const expected: unknown = JSON.parse(toJson(page.document))
    const [, block] = /<script type="application\/json" id="record">([^<]*)<\/script>/.exec(html)!
    expect(JSON.parse(block!)).toEqual(expected)
    const [, link] = /<a download="[\w-]+\.json" href="data:application\/json;base64,([^"]*)"/.exec(html)!
    expect(JSON.parse(Buffer.from(link!, 'base64').toString())).toEqual(expected)
  })

  test.each(Object.entries(pages))('%s: loads nothing, runs nothing, names no other address', async (_, page) => {
    const html = await page.draw()
    expect(html).toContain(`content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"`)
    expect(html.match(/<script/g)).toHaveLength(1)
    expect(html).not.toMatch(/https?:|<link|<iframe|<img|@import|url\((?!#)|\son\w+=/)
  })

  test.each(Object.entries(pages))(
    '%s: one h1, a caption for each table, a scope for each heading',
    async (_, page) => {
      const html = await page.draw()
      expect(html.match(/<h1>/g)).toHaveLength(1)
      expect(html.match(/<table>\n<caption>[^<]/g)?.length).toBe(html.match(/<table/g)?.length)
      expect(html).not.toMatch(/<th(?! scope=|ead)/)
    },
  )

  test('escapes names, codes and settings, wherever they stand', async () => {
    const document = record({
      oldPrimary: HOSTILE,
      fault: HOSTILE,
      errors: { [HOSTILE]: 1 },
      lagAtFault: { [HOSTILE]: { bytes: 0, ms: 0, sampleAgeMs: 0 } },
      settings: { [HOSTILE]: HOSTILE },
      why: HOSTILE,
    })
    const html = await failoverReport({ document, runs: [{ ...run(), record: document }] })
    expect(html).not.toContain('<img')
    expect(html.match(/<\/script>/g)).toHaveLength(1)
    expect(textOf(html)).toContain('&lt;/script&gt;&lt;img')
    expect(await lagReport({ ...lag(), primary: HOSTILE })).not.toContain('<img')
  })

  test('says where the document is when it is too long for a link', () => {
    const { html } = downloadLink('x'.repeat(24_000_000), 'x.json')
    expect(html).not.toContain('href="data:')
    expect(textOf(html)).toContain('The record (23 MB of JSON) is longer than a link may be')
  })

  test.each(Object.keys(INKS) as Ink[])('has the colour %s in the light and in the dark scheme', ink => {
    expect(STYLE.split(`${variableOf(ink)}: #`)).toHaveLength(3)
  })
})

describe('writing a report', () => {
  test('writes the file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lab-report-'))
    try {
      await writeReport(join(folder, 'r.html'), '<p>')
      expect(await readFile(join(folder, 'r.html'), 'utf8')).toBe('<p>')
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('into a folder that does not exist is used wrongly', async () => {
    const error = await catchLabError('USAGE', () => writeReport(join(tmpdir(), 'no-such-folder', 'r.html'), ''))
    expect(error.message).toContain('cannot write the report')
    expect(error.hint).toMatch(/--report/)
  })
})

/** The page as it is read, spaces run together. */
const textOf = (html: string): string =>
  html
    .replace(/<(style|script)[^]*?<\/\1>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')

const plotsOf = (html: string): string[] => html.match(/<svg role="img"[^]*?<\/svg>/g) ?? []

/** The fault is at 1000, the last acknowledgement at 995, the next at 1075. */
function run(writes: readonly Write[] = sampleWrites()): TrialResult {
  const connectionErrors = [1010, 1020].map(at => ({ at, code: 'ECONNREFUSED' }))
  const history: History = { run: 'r', writes, connectionErrors, startedAt: 900, stoppedAt: 1200 }
  const milestones = { faultAt: 1000, detectedAt: 1035, fencedAt: 1036, promotedAt: 1070 }
  return { record: record(), history, milestones }
}

function sampleWrites(): Write[] {
  const acknowledged: Outcome = { kind: 'acknowledged' }
  const write = (
    id: number,
    [dueAt, settledAt]: readonly [number, number],
    outcome: Outcome = acknowledged,
  ): Write => ({
    id,
    dueAt,
    sentAt: dueAt,
    settledAt,
    outcome,
  })
  return [
    write(1, [950, 951]),
    write(3, [980, 981.5]),
    write(4, [990, 995]),
    write(5, [998, 1002], { kind: 'indeterminate', code: 'CONNECTION_LOST' }),
    write(6, [1000, 1003], { kind: 'failed', code: '57P01' }),
    write(7, [1010, 1075]),
    write(8, [1080, 1081]),
  ]
}

function record(changes: Partial<FailoverRecord> = {}): FailoverRecord {
  return {
    version: 1,
    runtime: 'local',
    postgresVersion: '17.10',
    fault: 'crash',
    synchronousCommit: 'on',
    oldPrimary: 'primary',
    newPrimary: 'replica1',
    timeline: { before: 1, after: 2 },
    forkLsn: parseLsn('0/3000148'),
    walBytesLost: 4096,
    load: { ratePerSecond: 500, connections: 4 },
    outageMs: 80,
    phases: { detectMs: 40, fenceMs: 1, promoteMs: 34, firstWriteMs: 5 },
    writes: { attempted: 7, acknowledged: 5, failed: 1, indeterminate: 1, lost: 2, recovered: 0, unexpected: 0 },
    lostIds: [3, 4],
    lagAtFault: { replica1: { bytes: 312, ms: 2, sampleAgeMs: 3 } },
    latencyMs: summaryOf([1, 1.5, 5, 65, 1]),
    errors: { ECONNREFUSED: 12, '57P01': 1 },
    verdict: 'lost-writes',
    why: '2 of 5 acknowledged writes are gone',
    settings: { synchronous_commit: 'on' },
    machine: { platform: 'linux x64', cpus: 2, node: '24.1.0' },
    ...changes,
  }
}

function lag(curve = [10, 11, 12].map(at => ({ at, bytes: at * 100 }))): LagDocument {
  const seen = {
    neverSeen: 0,
    replayedAtEnd: 3,
    bytesAtEnd: 0,
    maxBytes: Math.max(1200, ...curve.slice(70_000, 80_000).map(({ bytes }) => bytes)),
    resolutionMs: summaryOf([1, 1]),
  }
  return {
    version: 1,
    runtime: 'local',
    postgresVersion: '17.10',
    primary: 'primary',
    inserts: 3,
    ratePerSecond: null,
    burstMs: 3,
    insertMs: summaryOf([1, 1, 1]),
    standbys: [
      { ...seen, node: 'replica1', visibleMs: summaryOf([1, 2, 3]), drainMs: 4, curve },
      { ...seen, node: 'replica2', visibleMs: null, drainMs: null, curve: [] },
    ],
    sampling: { everyMs: 0, insertsPerSecond: { without: 2500, with: 2400 }, ratio: 0.96, n: 2 },
  }
}

function durability(): DurabilityDocument {
  const cell = (changes: Partial<DurabilityCell>): DurabilityCell => ({
    synchronousCommit: 'on',
    standbys: 'quorum',
    promised: true,
    commitMs: summaryOf([1, 2, 3]),
    outageMs: 80,
    acknowledged: 1100,
    lost: 0,
    n: 3,
    spread: { outageMs: null, lost: spreadOf([0]) },
    ...changes,
  })
  return {
    version: 1,
    runtime: 'local',
    postgresVersion: '17.10',
    load: { ratePerSecond: 500, connections: 4 },
    cutMs: 300,
    cells: [cell({}), cell({ synchronousCommit: 'off', standbys: 'asynchronous', promised: false, lost: 130 })],
    machine: { platform: 'linux x64', cpus: 2, node: '24.1.0' },
  }
}
