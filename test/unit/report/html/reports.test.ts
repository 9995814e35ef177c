/**
 * The HTML reports, as text: what each of them says and draws.
 */
import { describe, expect, test } from 'vitest'
import { summariseTrials } from '../../../../src/measure/trials.ts'
import { durabilityReport, failoverReport, lagReport } from '../../../../src/report/html/reports.ts'
import { STYLE } from '../../../../src/report/html/style.ts'
import {
  plotsOf,
  sampleDurability,
  sampleLag,
  sampleRecord,
  sampleRun,
  textOf,
} from '../../../support/report-samples.ts'

describe('the report on a failover', () => {
  test('says in its first paragraph how long nobody could write and how much is gone', async () => {
    const html = await failoverReport({ document: sampleRecord(), runs: [sampleRun()] })
    expect(html).toMatch(/<p class="summary">.*Nobody could write for 80\.0 ms.*2 of 5 acknowledged writes are gone/)
  })

  test('has the record, the phases, the errors, the lost ids, the fork and the setting', async () => {
    const text = textOf(await failoverReport({ document: sampleRecord(), runs: [sampleRun()] }))
    for (const fact of ['detect 40.0 ms', 'ECONNREFUSED 12', 'Lost ids: 3, 4', '0/3000148', '1 to 2', '4.0 kB'])
      expect(text).toContain(fact)
    for (const fact of ['synchronous_commit on', 'linux x64', 'replica1 312 bytes 2.0 ms 3.0 ms', 'due in the outage'])
      expect(text).toContain(fact)
  })

  test('draws two plots, each with a name, a caption and colours of the page alone', async () => {
    const html = await failoverReport({ document: sampleRecord(), runs: [sampleRun()] })
    const svgs = plotsOf(html)
    expect(svgs).toHaveLength(2)
    for (const svg of svgs) {
      expect(svg).toMatch(/^<svg role="img" aria-label="[^"]+"/)
      const paints = [...svg.matchAll(/ (?:fill|stroke)="(?!none|transparent)([^"]*)"/g)].map(([, paint]) => paint)
      expect(paints.filter(paint => !/^var\(--[a-z-]+\)$|^#000$/.test(paint!))).toEqual([])
    }
    expect(html.match(/<figcaption>/g)).toHaveLength(2)
  })

  test('says of each bar and each point what it is, to a pointer that rests on it', async () => {
    const html = await failoverReport({ document: sampleRecord(), runs: [sampleRun()] })
    const told = [...html.matchAll(/<title>([^<]*)/g)].map(([, text]) => text)
    expect(told).toContain('-20 ms: 1 acknowledged, 1 of them lost, errors 0')
    expect(told).toContain('due at -20 ms, acknowledged and lost, after 1.5 ms')
    expect(told).toContain('due at -2 ms, indeterminate after 4.0 ms')
  })

  test('is red where something acknowledged is gone, and nowhere else', async () => {
    const durable = sampleRecord({ lostIds: [], verdict: 'durable', writes: { ...sampleRecord().writes, lost: 0 } })
    const calm = await failoverReport({ document: durable, runs: [{ ...sampleRun(), record: durable }] })
    expect(calm.replace(STYLE, '')).not.toMatch(/class="[^"]*\bloss\b|var\(--loss\)/)
    expect(await failoverReport({ document: sampleRecord(), runs: [sampleRun()] })).toMatch(/fill="var\(--loss\)"/)
  })

  test('tells lost from acknowledged without its colour, too', async () => {
    const [answers = ''] = plotsOf(await failoverReport({ document: sampleRecord(), runs: [sampleRun()] }))
    expect(answers).toMatch(/<rect [^>]*fill="var\(--page\)" stroke="var\(--loss\)"/)
    expect(answers).not.toMatch(/<rect [^>]*fill="var\(--loss\)"/)
  })

  test('says when it was, with which version, after what cut, and calls a switchover by its name', async () => {
    const page = async (changes: Parameters<typeof sampleRecord>[0]): Promise<string> =>
      textOf(await failoverReport({ document: sampleRecord(changes), runs: [] }))
    const text = await page({})
    for (const fact of ['pg-failover-lab 0.1.0', '2026-01-01 00:00 UTC', 'standbys cut off before it 300 ms'])
      expect(text).toContain(fact)
    expect(text).toContain('2 sequences may have jumped')
    const switched = await page({ fault: 'switchover' })
    expect(switched).toContain('Switchover: primary to ')
    expect(switched).not.toContain('Failover')
  })

  test('is the same text for the same run', async () => {
    const once = await failoverReport({ document: sampleRecord(), runs: [sampleRun()] })
    expect(await failoverReport({ document: sampleRecord(), runs: [sampleRun()] })).toBe(once)
  })

  test('says that the outage is unknown when it has no end, and draws the run nevertheless', async () => {
    const document = sampleRecord({ outageMs: null, phases: null })
    const writes = sampleRun().history.writes.filter(({ settledAt }) => settledAt < 1050)
    const html = await failoverReport({ document, runs: [{ ...sampleRun(writes), record: document }] })
    expect(textOf(html)).toContain('How long nobody could write is not known.')
    expect(plotsOf(html)).toHaveLength(2)
  })

  test('has no plot over time without evidence', async () => {
    expect(plotsOf(await failoverReport({ document: sampleRecord(), runs: [] }))).toEqual([])
  })

  test('of trials begins with their distribution, and goes on with the one in the middle', async () => {
    const records = [sampleRecord({ outageMs: 90 }), sampleRecord({ outageMs: 70 }), sampleRecord({ outageMs: 80 })]
    const runs = records.map(each => ({ ...sampleRun(), record: each }))
    const html = await failoverReport({ document: summariseTrials(records, 3), runs })
    expect(plotsOf(html)).toHaveLength(4)
    expect(textOf(html)).toContain('median 80.0 ms, from 70.0 ms to 90.0 ms')
    expect(html).toContain('<title>trial 2: 70.0 ms, lost 2</title><path ')
    expect(html).toContain('<title>detect 40.0 ms, fence 1.0 ms, promote 34.0 ms, first write 5.0 ms</title><rect ')
    expect([...html.matchAll(/<h2>([^<]*)/g)].map(([, title]) => title).slice(0, 2)).toEqual([
      'Trials',
      'Trial 3: outage',
    ])
  })
})

describe('the reports on lag and durability', () => {
  test('lag: a line and a row for each standby, the resolution and the cost of looking', async () => {
    const html = await lagReport(sampleLag())
    expect(plotsOf(html)).toHaveLength(1)
    for (const fact of ['replica1 3 2.0 ms', 'replica2 0 –', 'not seen', 'with / without 0.96'])
      expect(textOf(html)).toContain(fact)
  })

  test('lag: a curve of 100,000 looks is drawn with at most four points a pixel or two, its peak among them', async () => {
    const curve = Array.from({ length: 100_000 }, (_, at) => ({ at, bytes: at === 77_777 ? 65_536 : 0 }))
    const html = await lagReport(sampleLag(curve))
    expect(plotsOf(html)[0]!.length).toBeLessThan(100_000)
    expect(textOf(html)).toMatch(/64 kB/)
  })

  test('durability: a cell for each setting, lost writes in red, what was not measured as that', async () => {
    const html = await durabilityReport(sampleDurability())
    expect(plotsOf(html)).toHaveLength(1)
    expect(html).toContain('<span class="loss">lost 130 of 1,100</span>')
    expect(html).toContain('<span>lost 0 of 1,100</span>')
    expect(textOf(html)).toContain('not measured')
    expect(textOf(html)).toContain('1 of 2 settings lost acknowledged writes. None of the 1 that promise')
  })
})
