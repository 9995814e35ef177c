/**
 * What every HTML report must have in it, and what none may.
 */
import { describe, expect, test } from 'vitest'
import { toJson } from '../../../../src/report/json.ts'
import { downloadLink } from '../../../../src/report/html/embed.ts'
import { INKS } from '../../../../src/report/html/inks.ts'
import { durabilityReport, failoverReport, lagReport } from '../../../../src/report/html/reports.ts'
import { STYLE } from '../../../../src/report/html/style.ts'
import { sampleDurability, sampleLag, sampleRecord, sampleRun, textOf } from '../../../support/report-samples.ts'

const HOSTILE = '</script><img src="x" onerror=alert(1)>'

describe('every report', () => {
  const pages = {
    failover: {
      document: sampleRecord(),
      draw: () => failoverReport({ document: sampleRecord(), runs: [sampleRun()] }),
    },
    lag: { document: sampleLag(), draw: () => lagReport(sampleLag()) },
    durability: { document: sampleDurability(), draw: () => durabilityReport(sampleDurability()) },
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
    const document = sampleRecord({
      oldPrimary: HOSTILE,
      fault: HOSTILE,
      errors: { [HOSTILE]: 1 },
      lagAtFault: { [HOSTILE]: { bytes: 0, ms: 0, sampleAgeMs: 0 } },
      settings: { [HOSTILE]: HOSTILE },
      why: HOSTILE,
    })
    const html = await failoverReport({ document, runs: [{ ...sampleRun(), record: document }] })
    expect(html).not.toContain('<img')
    expect(html.match(/<\/script>/g)).toHaveLength(1)
    expect(textOf(html)).toContain('&lt;/script&gt;&lt;img')
    expect(await lagReport({ ...sampleLag(), primary: HOSTILE })).not.toContain('<img')
  })

  test('says where the document is when it is too long for a link', () => {
    const { html } = downloadLink('x'.repeat(24_000_000), 'x.json')
    expect(html).not.toContain('href="data:')
    expect(textOf(html)).toContain('The record (23 MB of JSON) is longer than a link may be')
  })

  test.each(INKS)('has the colour %s in the light and in the dark scheme', ink => {
    expect(STYLE.split(`--${ink}: #`)).toHaveLength(3)
  })
})
