/**
 * The page: one file that needs no network and no script. Pure.
 */
import { downloadLink, embedded } from './embed.ts'
import { markup, trusted, type Markup } from './markup.ts'
import { STYLE } from './style.ts'
import { keyFigures, type KeyFigure } from './table.ts'

export interface Page {
  readonly title: string
  /** On what it was measured. */
  readonly setting: string
  /** The figures that matter, in a paragraph. */
  readonly summary: string
  readonly figures: readonly KeyFigure[]
  readonly sections: readonly Section[]
  /** What the page was drawn from. */
  readonly document: object
  /** The name under which the document is saved. */
  readonly documentFile: string
}

export interface Section {
  readonly title: string
  readonly body: readonly Markup[]
}

/** Nothing is loaded and nothing runs. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

/** The whole page as HTML. */
export const pageOf = ({ title, setting, summary, figures, sections, document, documentFile }: Page): string =>
  markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${trusted(STYLE)}</style>
</head>
<body>
<header>
<p class="kicker">${setting}</p>
<h1>${title}</h1>
<p class="summary">${summary}</p>
${keyFigures(figures)}
${downloadLink(document, documentFile)}
</header>
<main>
${sections.map(section => markup`<section>\n<h2>${section.title}</h2>\n${section.body}\n</section>\n`)}</main>
<footer><p>${madeBy(document)} This file loads nothing and runs no script.</p></footer>
${embedded(document)}
</body>
</html>
`.html

const madeBy = (document: object): Markup =>
  'command' in document && typeof document.command === 'string'
    ? markup`Drawn by <code>pg-failover-lab ${document.command}</code>.`
    : markup`Drawn by pg-failover-lab.`
