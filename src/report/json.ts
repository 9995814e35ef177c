/**
 * Results as JSON: one document, LSNs in PostgreSQL's text form.
 */
import { formatLsn, type Lsn } from '../postgres/lsn.ts'

/** All bigints in the lab's types are LSNs. */
export const toJson = (document: unknown): string =>
  JSON.stringify(document, (_, value: unknown) => (typeof value === 'bigint' ? formatLsn(value as Lsn) : value), 2)
