import { describe, expect, test } from 'vitest'
import { escapeHtml, markup } from '../../../../src/report/html/markup.ts'

describe('text in HTML', () => {
  test('has no character that HTML reads', () => {
    expect(escapeHtml(`<a href="x">'&'</a>`)).toBe('&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;')
  })

  test('is escaped in a template; markup is not, and undefined is nothing', () => {
    expect(markup`<b>${'<i>'}${markup`<i>`}${undefined}${[1, '&']}</b>`.html).toBe('<b>&lt;i&gt;<i>1&amp;</b>')
  })
})
