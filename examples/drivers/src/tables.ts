/**
 * The document as tables, whoever draws them. Pure.
 */
import type { Cell, DocumentedSubject, DriversDocument } from './document.ts'
import type { Variant } from './subject.ts'
import { endOf, errorsOf, firstGoodOf, megabytesOf, rangeOf, shortOf } from './words.ts'

export interface Table {
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

export type SituationInDocument = DriversDocument['situations'][number]

/** A situation, with every subject that was in it. */
export function situationTable({ cells, subjects }: DriversDocument, { id, work }: SituationInDocument): Table {
  const missing = work === 'listen' ? 'not heard' : 'hanging'
  const rows = cells
    .filter(({ situation }) => situation === id)
    .map(cell => [
      titleOf(subjects, cell),
      endOf(cell),
      firstGoodOf(cell),
      rangeOf(cell.hanging),
      rangeOf(cell.oldConnections),
      rangeOf(cell.duplicates),
      rangeOf(cell.astray),
      megabytesOf(cell.rssBytes),
      errorsOf(cell),
    ])
  const first = work === 'read' ? 'first read' : work === 'listen' ? 'first heard' : 'first write'
  return {
    head: ['subject', 'at the end', first, missing, 'on the old node', 'twice', 'astray', 'memory', 'errors'],
    rows,
  }
}

/** With its variant. */
export const titleOf = (subjects: readonly DocumentedSubject[], { subject, variant }: Cell): string => {
  const found = subjects.find(({ id }) => id === subject)
  return `${found?.title ?? subject}, ${found?.variants?.[variant] ?? (variant === 'default' ? 'defaults' : 'mended')}`
}

/** Every subject in every situation of its kind, in a word or a figure each. */
export function overview(
  document: DriversDocument,
  variant: Variant,
  situations: readonly SituationInDocument[],
): Table {
  const rows = document.subjects.flatMap(({ id, title, variants }) => {
    const cells = situations.map(situation =>
      document.cells.find(cell => cell.subject === id && cell.variant === variant && cell.situation === situation.id),
    )
    if (cells.every(cell => cell === undefined)) return []
    const name = variants === undefined ? title : `${title}, ${variants[variant]}`
    return [[name, ...cells.map(shortOf)]]
  })
  return { head: ['', ...situations.map(({ id }) => id)], rows }
}
