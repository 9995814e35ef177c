/**
 * The document that a report was drawn from, in the report: as data in the page, and as a link that saves it. Pure.
 */
import { formatBytes } from '../format.ts'
import { toJson } from '../json.ts'
import { markup, trusted, type Markup } from './markup.ts'

/** Firefox opens no data URL that is longer than 32 MB, Chromium and Safari open longer ones (MDN, data: URLs). */
const LONGEST_LINK = 32_000_000

/** A block of data that no browser runs. `<` never appears in it, so that no text of the document ends it. */
export const embedded = (document: unknown): Markup =>
  trusted(`<script type="application/json" id="record">${toJson(document).replaceAll('<', '\\u003c')}</script>`)

/** A link that saves the document as `file`, without any script; or where to find it, when it is too long for a link. */
export function downloadLink(document: unknown, file: string): Markup {
  const json = toJson(document)
  const size = formatBytes(Buffer.byteLength(json))
  const href = `data:application/json;base64,${Buffer.from(json).toString('base64')}`
  if (href.length > LONGEST_LINK)
    return markup`<p>The record (${size} of JSON) is longer than a link may be. It is in the source of this page, in the element with the id <code>record</code>.</p>`
  return markup`<p><a download="${file}" href="${href}">Save the record as JSON</a> (${size})</p>`
}
