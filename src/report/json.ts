/**
 * Results as JSON: one document, LSNs in PostgreSQL's text form.
 */
import { formatLsn, type Lsn } from '../postgres/lsn.ts'

/** All bigints in the lab's types are LSNs. */
export const toJson = (document: unknown): string => JSON.stringify(document, inText, 2)

/** The same on one line, for a stream of documents. https://jsonlines.org */
export const toJsonLine = (document: unknown): string => JSON.stringify(document, inText)

const inText = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? formatLsn(value as Lsn) : value)
