/**
 * The result as one HTML page, which loads nothing and runs no script. Pure.
 */
import type { DriversDocument } from './document.ts'
import { findingsOf } from './findings.ts'
import { settingOf } from './report-terminal.ts'
import { overview, situationTable, type Table } from './tables.ts'

export function htmlReport(document: DriversDocument): string {
  const { situations, cells, subjects } = document
  const shown = situations.filter(({ id }) => cells.some(({ situation }) => situation === id))
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>What Node's PostgreSQL drivers do in a failover</title>
<style>${STYLE}</style>
</head>
<body>
<h1>What Node's PostgreSQL drivers do in a failover</h1>
<p>${escapeHtml(settingOf(document))}</p>
<h2>In short</h2>
<ul>
${findingsOf(document)
  .map(({ fact, who }) => `<li>${escapeHtml(`${fact}: ${who.join('; ') || 'none'}`)}.</li>`)
  .join('\n')}
</ul>
<h2>With the defaults</h2>
${tableOf(overview(document, 'default', shown))}
<h2>Mended</h2>
${tableOf(overview(document, 'mended', shown))}
${shown.map(situation => `<h2>${escapeHtml(situation.title)}</h2>\n<p>${escapeHtml(situation.says)}</p>\n${tableOf(situationTable(document, situation))}`).join('\n')}
<h2>What mends each</h2>
${subjects.map(({ title, mended }) => `<h3>${escapeHtml(title)}</h3>\n<pre><code>${escapeHtml(mended)}</code></pre>`).join('\n')}
<script type="application/json" id="run">${JSON.stringify(document).replaceAll('<', '\\u003c')}</script>
</body>
</html>
`
}

const tableOf = ({ head, rows }: Table): string => `<div class="scroll"><table>
<thead><tr>${head.map(cell => `<th scope="col">${escapeHtml(cell)}</th>`).join('')}</tr></thead>
<tbody>
${rows.map(([first = '', ...rest]) => `<tr><th scope="row">${escapeHtml(first)}</th>${rest.map(cellOf).join('')}</tr>`).join('\n')}
</tbody></table></div>`

const cellOf = (cell: string): string =>
  `<td${/^(crash|stuck)/.test(cell) ? ' class="loss"' : ''}>${escapeHtml(cell)}</td>`

export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, character => ENTITIES[character] ?? '')

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

const STYLE = `
:root { color-scheme: light dark; --page: #ffffff; --text: #1b2129; --muted: #566270; --line: #d8dee5; --loss: #b3261e; --surface: #f5f7f9; }
@media (prefers-color-scheme: dark) { :root { --page: #12161b; --text: #e5e9ee; --muted: #a5b0bc; --line: #343d48; --loss: #ff8d83; --surface: #1b2128; } }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem 1.25rem 3rem; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.75rem; } h2 { margin-top: 2.5rem; font-size: 1.25rem; } h3 { margin-bottom: .25rem; font-size: 1rem; }
p { max-width: 50rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem 1rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { color: var(--muted); } tbody th { font-weight: 500; white-space: nowrap; }
.loss { color: var(--loss); }
pre { overflow-x: auto; padding: .75rem 1rem; background: var(--surface); font: .8125rem/1.5 ui-monospace, monospace; }
`
