/**
 * HTML as a value: whatever goes into a template is escaped, unless it is markup already. Pure.
 */

/** Text that is HTML. Only {@link markup} and {@link trusted} make it. */
export class Markup {
  readonly html: string

  constructor(html: string) {
    this.html = html
  }
}

/** What a template takes: `undefined` is nothing, a list is one after the other. */
export type Content = Markup | string | number | undefined | readonly Content[]

/** A template whose values are escaped. Attribute values must stand in double quotes. */
export const markup = (strings: TemplateStringsArray, ...values: readonly Content[]): Markup =>
  new Markup(strings.map((text, at) => text + (at < values.length ? toHtml(values[at]) : '')).join(''))

/** HTML that was made elsewhere, and has no text of a user's in it that was not escaped there. */
export const trusted = (html: string): Markup => new Markup(html)

/** Text in which HTML sees no tag, no entity and no end of an attribute. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, character => ENTITIES[character] ?? '')

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function toHtml(content: Content): string {
  if (content === undefined) return ''
  if (content instanceof Markup) return content.html
  if (typeof content === 'string') return escapeHtml(content)
  if (typeof content === 'number') return String(content)
  return content.map(toHtml).join('')
}
