/**
 * The style of a report. One accent colour; red only for loss. Every colour of text has a contrast of 4.5 or more against
 * what it stands on, in both schemes.
 */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --surface: #f5f7f9; --text: #1b2129; --muted: #566270; --line: #d8dee5;
  --accent: #0b63b5; --loss: #b3261e; --band-a: #e3edf7; --band-b: #cbdff2;
  --detect: #0a3f75; --fence: #94c0ec; --promote: #2f7bcb; --first-write: #c9def4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161b; --surface: #1b2128; --text: #e5e9ee; --muted: #a5b0bc; --line: #343d48;
    --accent: #6db3f8; --loss: #ff8d83; --band-a: #1b2a3a; --band-b: #253b53;
    --detect: #dcebfb; --fence: #2f639b; --promote: #6db3f8; --first-write: #274a70;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--text); font: 1rem/1.55 system-ui, sans-serif; }
header, main, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; }
footer { padding-top: 1rem; padding-bottom: 3rem; color: var(--muted); font-size: .875rem; }
h1 { margin: 0 0 .75rem; font-size: 1.75rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.75rem 0 .75rem; padding-top: 1.25rem; border-top: 1px solid var(--line); font-size: 1.25rem; }
p { margin: 0 0 .75rem; max-width: 46rem; overflow-wrap: anywhere; }
.kicker { margin: 0 0 .25rem; color: var(--muted); font-size: .875rem; }
.summary { font-size: 1.125rem; }
.loss { color: var(--loss); }
a { color: var(--accent); text-underline-offset: .15em; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 2px; }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
.key-figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; margin: 1.25rem 0; }
.key-figures div { padding: .75rem 1rem; background: var(--surface); border-radius: .375rem; }
dt { color: var(--muted); font-size: .875rem; }
dd { margin: 0; }
dd strong { display: block; font-size: 1.5rem; line-height: 1.3; font-weight: 600; }
dd span { color: var(--muted); font-size: .875rem; overflow-wrap: anywhere; }
figure { margin: 1.5rem 0 2rem; }
figcaption { max-width: 46rem; margin-top: .5rem; color: var(--muted); font-size: .9375rem; }
.scroll { overflow-x: auto; max-width: 100%; }
.plot > svg { display: block; width: 100%; min-width: 50rem; height: auto; }
.key { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 0 0 .5rem; padding: 0; list-style: none; font-size: .875rem; }
.key li { display: flex; align-items: baseline; }
.swatch { flex: none; margin-right: .4rem; }
.scroll > table { margin: .25rem 0 1rem; min-width: min(100%, 30rem); }
table { border-collapse: collapse; font-size: .9375rem; font-variant-numeric: tabular-nums; }
caption { padding: .25rem 0 .5rem; color: var(--muted); text-align: left; font-size: .9375rem; }
th, td { padding: .3rem 1.25rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--muted); font-weight: 600; vertical-align: bottom; }
tbody th, td { white-space: nowrap; }
tbody th { font-weight: 500; }
.figure { text-align: right; }
td span { display: block; }
td code { white-space: normal; }
.beside { display: flex; flex-wrap: wrap; gap: 0 3rem; align-items: flex-start; }
.beside > * { min-width: 0; }
details { margin: .5rem 0; }
summary { width: fit-content; cursor: pointer; color: var(--accent); font-size: .9375rem; }
details .scroll { max-height: 24rem; overflow-y: auto; }
@media (max-width: 40rem) { tbody th, td:not(.figure) { white-space: normal; } }
@media print { h2 { break-after: avoid; } .scroll { overflow: visible; } details { display: none; } figure, table, .key-figures div { break-inside: avoid; } }
`
